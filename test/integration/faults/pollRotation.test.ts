import { afterAll, beforeAll, expect, test } from 'vitest';
import { createDeliveryBench, type DeliveryBench } from '../../support/deliveryBench.ts';

/** What the rotation takes for news in the newest entries of a repository's activity. */
const FEED = '/repositories/acme/subject/pullrequests/activity';
const WORLD = {
  contributors: 3,
  members: 2,
  workspaces: [{ slug: 'acme', name: 'acme', projects: [{ key: 'ENG', name: 'Engineering' }] }],
  repositories: [
    { workspace: 'acme', slug: 'subject', project: 'ENG', pullRequests: 12, commits: 4, tickets: 0 },
  ],
};

let bench: DeliveryBench;
beforeAll(async () => {
  bench = await createDeliveryBench({ world: WORLD });
  await bench.discover();
  await bench.importRepository('acme/subject');
  await bench.poll();
});
afterAll(() => bench?.close());

/** The first page of the feed, as Bitbucket gives it to the integration. */
async function feed(): Promise<{ values: Record<string, unknown>[] }> {
  const { login, secret } = bench.simulator.credential('api_token.admin');
  const authorization = `Basic ${Buffer.from(`${login ?? ''}:${secret}`).toString('base64')}`;
  const answer = await fetch(`${bench.simulator.apiUrl}${FEED}?pagelen=10`, { headers: { authorization } });
  return (await answer.json()) as { values: Record<string, unknown>[] };
}

/** What the API is asked of the repository's pull requests in a round in which its turn has come. */
async function askedInItsTurn(): Promise<string[]> {
  await bench.sql`update repository_syncs set rotated_at = now() - interval '1 day'`;
  const place = bench.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  await bench.poll();
  const paths = bench.simulator.journal.since(place).map(({ path }) => path.replace(/\?.*/, ''));
  return paths.filter((path) => path.includes('/repositories/acme/subject/pullrequests'));
}

test('an entry whose account is removed behind its storing is none, until it says what is not stored', async () => {
  expect(await askedInItsTurn()).toHaveLength(1);
  const shown = await feed();
  for (const entry of shown.values)
    for (const part of [entry['update'], entry['approval'], entry['changes_requested']])
      if (part !== undefined) Object.assign(part as object, { author: null, user: null });
  const body = JSON.stringify(shown);
  const fault = { kind: 'status', status: 200, content_type: 'application/json', body };
  bench.simulator.faults.set({ rules: [{ match: { path: `${FEED}\\?pagelen=10` }, fault }] });
  expect(await askedInItsTurn()).toHaveLength(1);
  await bench.sql`delete from pull_request_activity where kind = 'update'`;
  expect((await askedInItsTurn()).length).toBeGreaterThan(1);
});
