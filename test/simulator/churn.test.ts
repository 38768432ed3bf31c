import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHURN_KINDS } from '../../simulator/churn/churnKinds.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { waitFor } from '../support/waitFor.ts';
import { createClient, type Shown, stateLines } from './client.ts';

const WORLD = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: ['app', 'lib'].map((slug) => ({
    workspace: 'one',
    project: 'P',
    slug,
    pullRequests: 8,
    commits: 20,
    tickets: 3,
  })),
};
const FAST = 1000;

let simulator: Simulator;
const start = () => createSimulator({ world: WORLD, limit: 0, era: 'guide' });
beforeEach(async () => {
  simulator = await start();
});
afterEach(() => simulator.close());

async function control(method: string, path: string, body?: unknown): Promise<Shown> {
  const response = await fetch(`${simulator.url}/_simulator/${path}`, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, json: await response.json() };
}

const ended = () =>
  waitFor({
    what: 'the churn has ended',
    read: async (): Promise<Shown> => (await control('GET', 'churn')).json,
    until: ({ running }) => running === false,
    timeoutMs: 40_000,
  });

const changes = async (): Promise<Shown[]> =>
  (await (await fetch(`${simulator.url}/_simulator/churn/changes`)).text())
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));

describe('changes that go on by themselves', () => {
  test('every kind is made, and what the API then shows is what the truth says', async () => {
    const kinds = Object.keys(CHURN_KINDS).filter((kind) => kind !== 'repository.delete');
    await control('POST', 'churn', { seed: 5, rate_per_second: FAST, changes: 220, kinds });
    const report = await ended();
    expect(report).toMatchObject({ error: null, seed: 5 });
    expect(Object.keys(report.done).toSorted()).toEqual(kinds.toSorted());
    expect(report.total + report.refused).toBe((await changes()).length);

    const client = createClient(simulator, 'api_token.admin');
    const lines = await stateLines(simulator);
    const repositories = lines.filter(({ kind }) => kind === 'repository');
    expect((await client.get('/repositories/one')).json.size).toBe(repositories.length);
    for (const { repository, full_name: name } of repositories) {
      const path = `/repositories/${name}`;
      const own = lines.filter((line) => line.repository === repository);
      const branches = await client.walk(`${path}/refs/branches?pagelen=100`);
      expect(branches.map((one) => [one.name, one.target.hash])).toEqual(
        own.filter(({ kind }) => kind === 'branch').map((line) => [line.name, line.target]),
      );
      const listed = await client.walk(`${path}/pullrequests?q=id>0&sort=id&pagelen=50`);
      expect(
        listed.map((one) => [one.id, one.title, one.state, one.updated_on, one.source.commit?.hash]),
      ).toEqual(
        own
          .filter(({ kind }) => kind === 'pull_request')
          .map((one) => [one.number, one.title, one.state, one.updated_on, one.source_commit ?? undefined]),
      );
    }
  });

  test('the seed decides the changes', async () => {
    const made = async (seed: number): Promise<string[]> => {
      await simulator.close();
      simulator = await start();
      await control('POST', 'churn', { seed, rate_per_second: FAST, changes: 40 });
      await ended();
      return (await changes()).map(
        ({ churn, change }) => `${churn} ${change.repository} ${change.number ?? ''}`,
      );
    };
    const first = await made(1);
    expect(first.length).toBeGreaterThan(30);
    expect(await made(1)).toEqual(first);
    expect(await made(2)).not.toEqual(first);
  });

  test('keeps its pace, stops when told to, in the repositories named', async () => {
    const [app] = (await stateLines(simulator)).filter(({ slug }) => slug === 'app');
    await control('POST', 'churn', {
      rate_per_second: 20,
      repositories: ['one/app'],
      kinds: ['comment.add'],
    });
    expect((await control('POST', 'churn', {})).status).toBe(400);
    await waitFor({
      what: 'five changes are made',
      read: async (): Promise<Shown> => (await control('GET', 'churn')).json,
      until: ({ total }) => total >= 5,
    });
    const { json } = await control('DELETE', 'churn');
    expect(json).toMatchObject({ running: false, done: { 'comment.add': json.total } });
    const list = await changes();
    expect(new Set(list.map(({ repository }) => repository))).toEqual(new Set([app.repository]));
    const spanMs = list.at(-1).time_ms - list[0].time_ms;
    expect(spanMs).toBeGreaterThan((list.length - 1) * 50 - 60);
    expect((await control('GET', 'churn')).json.total).toBe(list.length);
  });

  test('refuses kinds and repositories that there are not', async () => {
    expect((await control('POST', 'churn', { kinds: ['sleep'] })).status).toBe(400);
    const { status, json } = await control('POST', 'churn', { repositories: ['one/none'] });
    expect([status, json.error]).toEqual([400, 'no repository one/none']);
  });
});
