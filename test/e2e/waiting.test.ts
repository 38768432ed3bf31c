import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { readEvents, type ServerSentEvent } from '../support/serverSentEvents.ts';
import { type Answer, createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/** What is said of an import that Bitbucket lets wait: since when, until when and why, and that nothing is complete yet. */
const WORLD = acmeWorld([
  { slug: 'first', pullRequests: 60, commits: 20, tickets: 8 },
  { slug: 'second', pullRequests: 20, commits: 20, tickets: 3 },
]);
const SECONDS = 90;
const REFUSED = 'Bitbucket asked to wait';

type Body = Answer['body'];

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD } });
});
afterAll(() => stack?.close());

/** Refuses for so long whatever is asked for under a path. */
const refuse = (path: string) => ({
  match: { path },
  fault: { kind: 'rate_limit', retry_after: 'seconds', seconds: SECONDS },
});

/** Waits until every repository of an import waits for Bitbucket, and gives them by their names. */
async function allWait(tenant: Stack, importId: string): Promise<Map<string, Body>> {
  const repositories = await waitFor({
    what: 'every repository waits for Bitbucket',
    read: () => listAll(tenant, `/v1/imports/${importId}/repositories`),
    until: (all) => all.length > 0 && all.every(({ state }) => state === 'rate_limited'),
    timeoutMs: 60_000,
  });
  return new Map(repositories.map((one) => [String(one.full_name), one]));
}

/** The streams of a repository that say that they wait. */
const waitingStreams = ({ streams }: Body): Body[] => streams.filter(({ waiting }: Body) => waiting !== null);

/** What the `progress` messages of an event stream say, in order. */
const progressOf = (events: ServerSentEvent[] | null): Body[] =>
  (events ?? []).flatMap(({ event, data = '' }) => (event === 'progress' ? [JSON.parse(data)] : []));

/** What changes with every look is left out: how fast it went during the last minute, and when it will end. */
const withoutRates = ({ streams, ...more }: Body): Body => ({
  ...more,
  records_per_second: 0,
  estimated_end: null,
  streams: streams.map((stream: Body) => ({ ...stream, records_per_second: 0 })),
});

/**
 * Streams each of whose records is a row of the table of its name. Not comments: most rows come with the feed, and their own
 * stream counts them behind it.
 */
const TABLES = ['commits', 'pull_requests', 'pull_request_activity', 'tickets'];

/** Bitbucket takes requests again, earlier than it said. */
async function takeAgain(): Promise<void> {
  stack.simulator.faults.clear();
  await stack.rows.statement((tx) =>
    tx.execute(sql`update request_limits set blocked_until = clock_timestamp(), refusals = 0`),
  );
}

describe('an import in which one stream behind another is read', () => {
  let tenant: Stack;
  let importId: string;
  let refusedAtMs: number;
  let byName: Map<string, Body>;
  let ids: Map<string, string>;
  let notBegun: Body;
  let followed: Promise<ServerSentEvent[] | null>;
  const read = async (path = ''): Promise<Body> =>
    (await tenant.call('GET', `/v1/imports/${importId}${path}`)).body;

  const reportOf = async (slug: string): Promise<Body> =>
    (await tenant.call('GET', `/v1/repositories/${ids.get(slug)}/completeness`)).body;

  async function rowsOf(table: string): Promise<number> {
    const [row] = await stack.rows.transaction(tenant.organizationId, (tx) =>
      tx.execute(sql`select count(*)::int as rows from ${sql.identifier(table)}`),
    );
    return Number(row?.['rows']);
  }

  beforeAll(async () => {
    tenant = await otherOrganization(stack);
    const credential = 'api_token.service';
    const integrationId = await activeIntegration(tenant, { credential, commitSource: 'api' });
    // Behind its pull requests, in the middle of its streams.
    stack.simulator.faults.set({ rules: [refuse('/acme/first/pullrequests/activity')] });
    const listed = await listAll(tenant, `/v1/integrations/${integrationId}/repositories`);
    ids = new Map(listed.map(({ slug, id }) => [String(slug), String(id)]));
    notBegun = await reportOf('first');
    importId = await startImport(tenant, integrationId);
    followed = readEvents(`${stack.apiUrl}/v1/imports/${importId}/events`, { key: tenant.apiKey });
    byName = await allWait(tenant, importId);
    const refused = stack.simulator.journal.since(0).find(({ fault }) => fault === 'rate_limit');
    refusedAtMs = refused?.time_ms ?? Number.NaN;
  });

  test('says since when, until when and why: itself, its repositories, and of each the one stream in hand', async () => {
    const shown = await read();
    expect(shown.state).toBe('rate_limited');
    const waits = [...byName.values()].map(({ waiting }) => waiting);
    for (const { since, until, reason } of [shown.waiting, ...waits]) {
      expect(reason).toBe(REFUSED);
      expect(Date.parse(since)).toBeGreaterThanOrEqual(refusedAtMs);
      expect(Date.parse(since)).toBeLessThanOrEqual(Date.now());
      expect(Date.parse(until)).toBeGreaterThanOrEqual(refusedAtMs + SECONDS * 1_000);
      expect(Date.parse(until)).toBeLessThan(refusedAtMs + SECONDS * 1_000 + 60_000);
    }
    // The first that waits, and the first that goes on.
    const first = (times: string[]): string | undefined => times.toSorted()[0];
    expect(shown.waiting.since).toBe(first(waits.map(({ since }) => since)));
    expect(shown.waiting.until).toBe(first(waits.map(({ until }) => until)));

    expect(waitingStreams(byName.get('acme/first')).map(({ stream }) => stream)).toEqual([
      'pull_request_activity',
    ]);
    for (const [name, repository] of byName) {
      const [stream, ...others] = waitingStreams(repository);
      expect(others, name).toEqual([]);
      expect(stream, name).toMatchObject({ state: 'rate_limited', waiting: repository.waiting });
    }
  });

  test('its report says of nothing that it adds up before it was read to its end', async () => {
    const report = await read('/completeness');
    expect(notBegun).toMatchObject({ import_id: null, status: 'pending', adds_up: null, streams: [] });
    expect(report).toMatchObject({
      state: 'rate_limited',
      status: 'in_progress',
      adds_up: null,
      not_complete: [],
      finished_at: null,
    });
    for (const stream of report.streams) expect(stream).toMatchObject({ missing: 0, surplus: 0 });
    const first = await reportOf('first');
    expect(first).toMatchObject({
      import_id: importId,
      state: 'rate_limited',
      status: 'in_progress',
      adds_up: null,
      finished_at: null,
    });
    const said = Object.fromEntries(
      first.streams.map(({ stream, status, adds_up: addsUp }: Body) => [stream, [status, addsUp]]),
    );
    expect(said).toEqual({
      refs: ['complete', true],
      commits: ['complete', true],
      pull_requests: ['complete', true],
      pull_request_activity: ['in_progress', null],
      pull_request_comments: ['pending', null],
      tickets: ['pending', null],
      ticket_comments: ['pending', null],
      ticket_changes: ['pending', null],
    });
    for (const stream of first.streams) expect(stream).toMatchObject({ missing: 0, surplus: 0 });
  });

  test('its event stream, the answer to who asks and the rows in Postgres are of one mind', async () => {
    const events = await readEvents(`${stack.apiUrl}/v1/imports/${importId}/events`, {
      key: tenant.apiKey,
      until: (so) => so.some(({ event }) => event === 'progress'),
    });
    const told = progressOf(events).at(-1);
    expect(withoutRates(told)).toEqual(withoutRates(await read()));
    expect(told.state).toBe('rate_limited');
    for (const { stream, stored } of told.streams) {
      if (TABLES.includes(stream)) expect([stream, stored]).toEqual([stream, await rowsOf(stream)]);
    }
    expect(told.streams.map(({ stream }: Body) => stream)).toEqual(expect.arrayContaining(TABLES));
  });

  test('when it goes on to its end, nothing says any more that it waits, and everything adds up', async () => {
    await takeAgain();
    expect(await importEnded(tenant, importId)).toMatchObject({ state: 'completed', waiting: null });
    for (const repository of await listAll(tenant, `/v1/imports/${importId}/repositories`)) {
      expect(repository).toMatchObject({ state: 'completed', waiting: null });
      expect(waitingStreams(repository)).toEqual([]);
    }
    await expectExact(tenant);
    const report = await read('/completeness');
    expect(await reportOf('first')).toMatchObject({ state: 'completed', status: 'complete', adds_up: true });
    expect(report).toMatchObject({ state: 'completed', status: 'complete', adds_up: true, not_complete: [] });
    for (const { stream, status, repositories, ...counts } of report.streams) {
      expect([stream, status, repositories.in_progress]).toEqual([stream, 'complete', 0]);
      expect([stream, counts.expected]).toEqual([stream, counts.stored + counts.quarantined + counts.gone]);
    }

    const progress = progressOf(await followed);
    // By then nothing moves, so that the rates are the same too.
    expect(progress.at(-1)).toEqual(await read());
    const stored = progress.map(({ records }) => records);
    expect(stored).toEqual(stored.toSorted((one, other) => one - other));
    for (const table of [...TABLES, 'pull_request_comments']) {
      const of = progress.at(-1).streams.find(({ stream }: Body) => stream === table);
      expect([table, of.stored]).toEqual([table, await rowsOf(table)]);
    }
  });
});
