import { expect, test } from 'vitest';
import type { WorldSpec } from '../../simulator/model/worldSpec.ts';
import { manyRepositoriesWorld, mixWorld } from '../../simulator/model/benchWorlds.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { type Answer, createStack, type Stack, type StackOptions } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/** How far requests and end may be from what the import then takes. */
const WITHIN = 0.15;

type Body = Answer['body'];

async function withStack(options: StackOptions, work: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await createStack(options);
  try {
    await work(stack);
  } finally {
    await stack.close();
  }
}

async function estimate(stack: Stack, integrationId: string, body: object = { all: true }): Promise<Body> {
  const path = `/v1/integrations/${integrationId}/imports`;
  const { headers } = expectStatus(await stack.call('POST', path, { ...body, dry_run: true }), 202);
  return waitFor({
    what: 'the estimate has ended',
    read: async () => (await stack.call('GET', String(headers.get('location')))).body,
    until: ({ state }) => state === 'done' || state === 'failed',
    timeoutMs: 60_000,
  });
}

const askedOf = (repository: Body): number =>
  repository.streams.reduce((total: number, { requests }: { requests: number }) => total + requests, 0);

/** Holds an estimate against the import that follows it, and says both. */
async function expectLike(stack: Stack, world: string, told: Body, importId: string): Promise<void> {
  const ended = await importEnded(stack, importId);
  const repositories = await listAll(stack, `/v1/imports/${importId}/repositories?limit=200`);
  const made = new Map(repositories.map((one) => [one.repository_id, askedOf(one)]));
  const sampled = told.sample.filter(({ requests }: Body) => requests !== null);
  const expected = sampled.reduce((total: number, { requests }: Body) => total + requests.expected, 0);
  const actual = sampled.reduce((total: number, one: Body) => total + (made.get(one.repository_id) ?? 0), 0);
  console.log(
    `${world}: ${expected} requests estimated for the sampled repositories, ${actual} made; ` +
      `in all ${told.requests.low}–${told.requests.high} estimated, ${ended.requests} made, by ${told.cost.requests} requests`,
  );
  expect(Math.abs(expected - actual), `${world}: ${expected} for ${actual}`).toBeLessThanOrEqual(
    WITHIN * actual,
  );
  for (const { stream, records } of told.streams) {
    const { stored } = ended.streams.find((one: Body) => one.stream === stream);
    expect(stored, `${world}: ${stream} ${JSON.stringify(records)}`).toBeGreaterThanOrEqual(records.low);
    expect(stored, `${world}: ${stream} ${JSON.stringify(records)}`).toBeLessThanOrEqual(records.high);
  }
  expect(ended.requests, world).toBeLessThanOrEqual(told.requests.high * 1.05);
}

async function compare(world: string, options: StackOptions, services?: string[]): Promise<void> {
  await withStack(options, async (stack) => {
    const integrationId = await activeIntegration(stack, services === undefined ? {} : { services });
    const before = stack.simulator.journal.since(0).length;
    const told = await estimate(stack, integrationId);
    const asked = stack.simulator.journal
      .since(0)
      .slice(before)
      .filter(({ group }) => group === 'repository');
    expect(told.error).toBeNull();
    expect(told.cost.requests).toBe(asked.length);
    for (const one of told.sample) expect(one.asked, one.full_name).toBeLessThanOrEqual(3);
    expect((await stack.call('GET', `/v1/integrations/${integrationId}/imports`)).body.data).toEqual([]);
    await expectLike(stack, world, told, await startImport(stack, integrationId));
  });
}

test('small repositories with tickets', () =>
  compare('small, tickets', { simulator: { era: 'guide', size: 'small' } }));

test('small repositories on a host that has no trackers any more', () =>
  compare('small, no trackers', { simulator: { era: 'today', size: 'small' } }));

test('a medium repository with a heavy tail of comments, some of them not in the feed', () =>
  compare('heavy tail', {
    simulator: { world: mixWorld({ pullRequests: 1_500, commits: 3_000, flawed: true }) },
  }));

test('a medium repository with ordinary discussions', () =>
  compare('medium', { simulator: { world: oneRepository({ pullRequests: 1_000, commits: 2_000 }) } }));

test('many small repositories, of which thirty speak for all; a fifth has no pull requests', () =>
  compare('many small', { simulator: { world: manyRepositoriesWorld(80) } }));

function oneRepository(amounts: { pullRequests: number; commits: number }): WorldSpec {
  const [workspace] = manyRepositoriesWorld(1).workspaces;
  const place = { workspace: workspace!.slug, project: workspace!.projects[0]!.key };
  return { workspaces: [workspace!], repositories: [{ ...place, slug: 'engine', ...amounts }] };
}
