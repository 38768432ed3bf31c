import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { authorization, createClient } from './client.ts';

const WORLD = {
  workspaces: [{ slug: 'one', name: 'One', projects: [{ key: 'P', name: 'P' }] }],
  repositories: [{ workspace: 'one', project: 'P', slug: 'app', pullRequests: 12, commits: 20, tickets: 3 }],
};
const REPOSITORY = '/repositories/one/app';
const LIST = `${REPOSITORY}/pullrequests?state=ALL&pagelen=5`;
const FEED = `${REPOSITORY}/pullrequests/activity?pagelen=10`;

let simulator: Simulator;
let client: ReturnType<typeof createClient>;
beforeAll(async () => {
  simulator = await createSimulator({ world: WORLD, limit: 0, era: 'guide' });
  client = createClient(simulator, 'api_token.admin');
});
afterAll(() => simulator.close());
afterEach(() => simulator.faults.clear());

const open = (init: RequestInit = {}) =>
  fetch(`${simulator.apiUrl}${LIST}`, {
    headers: { authorization: authorization(simulator.credential('api_token.admin')) },
    ...init,
  });
const play = (fault: object, more: object = {}) => simulator.faults.set({ rules: [{ ...more, fault }] });

describe('bodies', () => {
  it.each([
    ['a body that drips', { kind: 'drip', ms: 50 }],
    ['silence behind the head', { kind: 'silence' }],
  ])('%s does not end while somebody waits', async (_, fault) => {
    play(fault);
    const answer = open({ signal: AbortSignal.timeout(300) });
    await expect(answer.then((response) => response.text())).rejects.toThrow(/aborted|timeout/);
  });

  it('a body without an end goes on until the reader leaves', async () => {
    play({ kind: 'endless_body' });
    const response = await open();
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.byteLength;
      if (bytes > 5_000_000) break;
    }
    expect(bytes).toBeGreaterThan(5_000_000);
  });

  it.each(['garbage', 'cut', 'checksum'])('gzip that is none: %s', async (how) => {
    play({ kind: 'bad_gzip', how });
    await expect(client.get(LIST)).rejects.toThrow(/terminated|JSON/);
  });
});

describe('lists', () => {
  it.each(['kept', 'lowered'] as const)('that lack some of their values, size %s', async (size) => {
    const whole = (await client.get(LIST)).json;
    play({ kind: 'thin_list', share: 0.5, size });
    const thin = (await client.get(LIST)).json;
    expect(thin.values.length).toBeLessThan(whole.values.length);
    expect(thin.next).toBe(whole.next);
    const left = whole.values.length - thin.values.length;
    expect(thin.size).toBe(size === 'kept' ? whole.size : whole.size - left);
  });

  const follow = async (first: string, most: number): Promise<string[]> => {
    const asked: string[] = [];
    let path: string | undefined = first;
    while (path !== undefined && asked.length < most) {
      asked.push(path);
      const { json } = await client.get(path);
      const { next } = json as { next?: string };
      path = next?.replace(simulator.apiUrl, '');
    }
    return asked;
  };

  it('whose next leads to the page itself, to and fro, or back to the first', async () => {
    play({ kind: 'next', to: 'self' });
    expect(new Set(await follow(FEED, 5)).size).toBe(1);
    play({ kind: 'next', to: 'turn' });
    expect(new Set(await follow(FEED, 6)).size).toBe(2);
    play({ kind: 'next', to: 'first' }, { nth: 3 });
    const asked = await follow(FEED, 5);
    expect(asked[3]).toBe(asked[0]);
  });

  it('whose next is always another, is missing, or leads behind the last page', async () => {
    for (const first of [FEED, LIST]) {
      play({ kind: 'next', to: 'endless' });
      expect(new Set(await follow(first, 20)).size).toBe(20);
      play({ kind: 'next', to: 'none' });
      expect(await follow(first, 20)).toHaveLength(1);
      simulator.faults.clear();
      const pages = await follow(first, 20);
      play({ kind: 'next', to: 'beyond' });
      const asked = await follow(first, pages.length + 1);
      expect(asked).toHaveLength(pages.length + 1);
      expect((await client.get(asked.at(-1) ?? '')).json.values).toEqual([]);
    }
  });
});

it('a credential that expires at a request stays expired', async () => {
  play({ kind: 'expire_credential' }, { nth: 2 });
  expect((await client.get(LIST)).status).toBe(200);
  expect((await client.get(LIST)).status).toBe(401);
  expect((await client.get(LIST)).status).toBe(401);
  await simulator.mutate({ kind: 'credential.restore', name: 'api_token.admin' });
  expect((await client.get(LIST)).status).toBe(200);
});

it('a repository goes back to what its seed says; tickets come and go', async () => {
  const repository = 'one/app';
  const truth = async () =>
    (await fetch(`${simulator.url}/_simulator/state?git=no`)).text().then((text) => text.split('\n'));
  const before = await truth();
  expect(before.some((line) => line.includes('"kind":"commit"'))).toBe(false);
  await simulator.mutate({ kind: 'pull_request.edit', repository, number: 3, title: 'Edited' });
  await simulator.mutate({ kind: 'comment.add', repository, number: 4, raw: 'Said' });
  await simulator.mutate({ kind: 'ticket.delete', repository, number: 2 });
  expect(await simulator.mutate({ kind: 'ticket.create', repository, title: 'New' })).toEqual({ number: 4 });
  expect((await client.get(`${REPOSITORY}/issues/2`)).status).toBe(404);
  expect(await truth()).not.toEqual(before);
  await simulator.mutate({ kind: 'repository.reset', repository });
  const records = (lines: string[]) => lines.filter((line) => !line.includes('"kind":"repository"'));
  expect(records(await truth())).toEqual(records(before));
});
