import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JournalEntry } from '../../simulator/control/journal.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, expectStatus, importEnded, listAll, startImport } from '../support/connect.ts';
import { createStack, type Answer, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/** What the API tells of an integration's polling, held against what its rounds have asked the host. */

const INTERVAL_MS = 1_000;
const SLUGS = ['first', 'second', 'third'];
const WORLD = acmeWorld(
  [...SLUGS, 'left-out'].map((slug) => ({ slug, pullRequests: 3, commits: 4, tickets: 0 })),
);
/** Requests an hour; three in ten of them are for polling. */
const LIMIT = 1_000;
const POLLS_AN_HOUR = 0.3 * LIMIT;

let stack: Stack;
let integrationId: string;
const ids = new Map<string, string>();
beforeAll(async () => {
  const environment = { POLL_INTERVAL_MS: String(INTERVAL_MS) };
  stack = await createStack({ simulator: { world: WORLD }, environment });
  integrationId = await activeIntegration(stack);
  for (const { slug, id } of await listAll(stack, `/v1/integrations/${integrationId}/repositories`))
    ids.set(slug, id);
});
afterAll(() => stack?.close());

const path = (more = ''): string => `/v1/integrations/${integrationId}${more}`;
const polling = async (): Promise<Answer['body']> => (await stack.call('GET', path())).body.polling;

/** It has asked all, and behind it none has begun. */
const isWhole = (told: Answer['body']): boolean =>
  told?.last_finished_at != null && Date.parse(told.last_finished_at) >= Date.parse(told.last_started_at);

const untilRound = (what: string, until: (told: Answer['body']) => boolean) =>
  waitFor({ what, read: polling, until: (told) => isWhole(told) && until(told), timeoutMs: 30_000 });

const requests = (): JournalEntry[] =>
  stack.simulator.journal
    .since(0)
    .filter(({ path: asked, group }) => group !== 'git' && asked.startsWith('/2.0/'));

/** What the host was asked within the last round. */
const askedIn = (told: Answer['body']): JournalEntry[] => {
  const [beganMs, endedMs] = [Date.parse(told.last_started_at), Date.parse(told.last_finished_at)];
  return requests().filter(({ time_ms: at }) => at >= beganMs && at <= endedMs);
};

const LOOK = /^\/2\.0\/repositories\/acme\/([\w-]+)\/pullrequests\/activity\?.*pagelen=10(?!\d)/;
/** When the rotation has looked at each repository last, by the host's journal. */
const lastLooks = (): Map<string, JournalEntry> =>
  new Map(
    requests().flatMap((entry) => {
      const slug = LOOK.exec(entry.path)?.[1];
      return slug === undefined ? [] : [[slug, entry] as const];
    }),
  );

/** Of each repository, milliseconds since the epoch. */
async function rotatedAt(): Promise<Map<string, number>> {
  const rows = await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute(sql`select r.slug, floor(extract(epoch from y.rotated_at) * 1000)::float8 as at
      from repository_syncs y join repositories r on r.id = y.repository_id`),
  );
  return new Map(rows.map(({ slug, at }) => [String(slug), Number(at)]));
}

test('an idle account is polled at the interval that was set, by as many requests as are told', async () => {
  expect(await polling()).toBeNull();
  const repositories = SLUGS.map((slug) => ids.get(slug));
  await importEnded(stack, await startImport(stack, integrationId, { repositories }));
  const told = await untilRound('a round found nothing', ({ found }) => found === 0);
  expect(told.effective_interval_seconds).toBe(INTERVAL_MS / 1_000);
  // The list of repositories, and one request of each at least.
  expect(told.requests).toBeGreaterThan(SLUGS.length);
  expect(askedIn(told)).toHaveLength(told.requests);
});

test('rotated since: when the repository was looked at that has waited for longest', async () => {
  await waitFor({
    what: 'each repository was looked at by itself',
    read: async () => lastLooks().size,
    until: (looked) => looked === SLUGS.length,
    timeoutMs: 30_000,
  });
  expectStatus(await stack.call('POST', path('/pause')), 202);
  const told = await waitFor({
    what: 'the round in hand has ended, or the pause has ended it',
    read: polling,
    until: (last) => isWhole(last) || last?.error?.code === 'poll_stopped',
    timeoutMs: 30_000,
  });
  const looks = [...lastLooks()].toSorted(([, one], [, other]) => one.time_ms - other.time_ms);
  const [[longest, look]] = looks as [[string, JournalEntry]];
  const rotated = await rotatedAt();
  expect([...rotated.keys()].toSorted()).toEqual(SLUGS.toSorted());
  expect(Date.parse(told.rotated_since)).toBe(rotated.get(longest));
  // Behind the host's answer, and before anything else was asked.
  const next = requests().find(({ sequence }) => sequence > look.sequence);
  expect(rotated.get(longest)).toBeGreaterThanOrEqual(look.time_ms);
  expect(rotated.get(longest)).toBeLessThanOrEqual(next?.time_ms ?? 0);
});

test('where the allowance is short, rounds lie so far apart that polling keeps to its share', async () => {
  await stack.rows.statement((tx) => tx.execute(sql`update request_limits set stated_limit = ${LIMIT}`));
  // Longer ago than a quiet repository rests: the round asks for more than those before it.
  await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute(sql`update repository_syncs set polled_at = polled_at - interval '2 days'`),
  );
  expectStatus(await stack.call('POST', path('/resume')), 202);
  const told = await untilRound(
    'a round has met the limit',
    ({ effective_interval_seconds: seconds }) => seconds !== INTERVAL_MS / 1_000,
  );
  const asked = askedIn(told);
  expect(asked.length).toBeGreaterThan(SLUGS.length);
  expect(told).toMatchObject({
    requests: asked.length,
    effective_interval_seconds: (asked.length * 3_600) / POLLS_AN_HOUR,
    error: null,
  });
});
