import { describe, expect, test } from 'vitest';
import { createDatabase } from '../../../db/client.ts';
import { listImportRepositories, totalStreams } from '../../../db/queries/api/imports.ts';
import { lockImport, reopenFailed } from '../../../db/queries/importControl.ts';
import { forecastImport, readRepositoryOutlook } from '../../../db/queries/importForecast.ts';
import { updateRepositoryState } from '../../../db/queries/importRepositories.ts';
import { settleStreams } from '../../../db/queries/importTotals.ts';
import { addProgress } from '../../../db/queries/importProgress.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'api' });

interface Row {
  stream: string;
  state: string;
  stored: number;
  expected?: number;
  requests?: number;
  windowSecondsAgo?: number;
  window?: number;
  before?: number;
  method?: string;
  /** where its walk stands */
  position?: Record<string, unknown>;
  /** it was read before: only what changed is read now */
  watermark?: string;
}

/** An import of `count` repositories; the rows are the streams of the first, which has begun. */
async function running(count: number, rows: Row[]) {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(count);
  const importId = await tenant.storeImport({ all: true });
  await bench.sql`update imports set state = 'running', started_at = now() where id = ${importId}`;
  for (const [place, id] of ids.entries()) {
    await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
      values (${tenant.organizationId}, ${importId}, ${id}, ${place + 1}, ${place === 0 ? 'running' : 'pending'})`;
  }
  for (const row of rows) {
    await bench.sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored,
        records_expected, requests, method, started_at, window_at, window_records, before_records)
      values (${tenant.organizationId}, ${importId}, ${ids[0]!}, ${row.stream}, ${row.state}, ${row.stored},
        ${row.expected ?? null}, ${row.requests ?? 0}, ${row.method ?? null}, now() - interval '1 hour',
        now() - make_interval(secs => ${row.windowSecondsAgo ?? 600}), ${row.window ?? 0}, ${row.before ?? 0})`;
    await bench.sql`insert into streams (organization_id, repository_id, stream, position, watermark)
      values (${tenant.organizationId}, ${ids[0]!}, ${row.stream},
        ${row.position === undefined ? null : bench.sql.json(row.position as never)}, ${row.watermark ?? null})`;
  }
  return { tenant, ids, importId };
}

const ahead = (requests: number) => ({ ahead: { requests, records: null } });

const READING: Row[] = [
  { stream: 'refs', state: 'healthy', stored: 3 },
  { stream: 'commits', state: 'healthy', stored: 900, expected: 900 },
  {
    stream: 'pull_requests',
    state: 'processing',
    stored: 120,
    expected: 320,
    requests: 3,
    windowSecondsAgo: 30,
    window: 90,
    before: 60,
  },
  { stream: 'pull_request_activity', state: 'never', stored: 0 },
  { stream: 'pull_request_comments', state: 'never', stored: 0 },
  { stream: 'tickets', state: 'unavailable', stored: 0 },
];

describe('what is left of an import', () => {
  test('is pages of what is expected; of what is not counted yet the least that it can be', async () => {
    const { tenant, importId, ids } = await running(1, READING);
    const streams = await bench.inTenant(tenant, (tx) => totalStreams(tx, importId));
    const left = Object.fromEntries(streams.map(({ stream, requestsLeft }) => [stream, requestsLeft]));
    expect(left).toEqual({
      refs: 0,
      commits: 0,
      pull_requests: 4,
      // six entries for each pull request, at 50 a page
      pull_request_activity: 39,
      // of one in 400
      pull_request_comments: 1,
      tickets: 0,
    });
    const whole = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(whole.requestsLeft).toBe(44);
    const own = await bench.inTenant(tenant, (tx) =>
      readRepositoryOutlook(tx, { importId, repositoryId: ids[0]! }),
    );
    // Read a moment later, by a clock that goes on.
    expect(own.requestsLeft).toBe(whole.requestsLeft);
    expect(own.recordsPerSecond).toBeCloseTo(whole.recordsPerSecond, 1);
    expect(Math.abs(Date.parse(own.estimatedEnd!) - Date.parse(whole.estimatedEnd!))).toBeLessThan(10_000);
    expect(Date.parse(whole.estimatedEnd!)).toBeGreaterThan(Date.now());
  });

  async function leftOf(rows: Row[], mode = 'changed'): Promise<Record<string, number>> {
    const { tenant, importId } = await running(1, rows);
    await bench.sql`update imports set mode = ${mode} where id = ${importId}`;
    const streams = await bench.inTenant(tenant, (tx) => totalStreams(tx, importId));
    return Object.fromEntries(streams.map(({ stream, requestsLeft }) => [stream, requestsLeft]));
  }

  test('is both lists for each ticket, empty ones more than once; behind the first as many as are touched', async () => {
    const left = await leftOf([
      { stream: 'tickets', state: 'healthy', stored: 500, expected: 500, requests: 5 },
      { stream: 'ticket_comments', state: 'processing', stored: 80, requests: 120, position: ahead(210) },
      { stream: 'ticket_changes', state: 'never', stored: 0 },
    ]);
    expect(left).toEqual({ tickets: 0, ticket_comments: 210, ticket_changes: 750 });
  });

  const activity = (row: Partial<Row> = {}): Row => ({
    stream: 'pull_request_activity',
    state: 'processing',
    stored: 0,
    ...row,
  });
  const listOf = (count: number): Row => ({
    stream: 'pull_requests',
    state: 'healthy',
    stored: count,
    expected: count,
  });

  test.each([
    ['the feed, not begun', activity({ state: 'never' }), 600],
    ['the feed, begun, by what its walk knows', activity({ position: ahead(431) }), 431],
    [
      'each pull request, by what its walk knows',
      activity({ method: 'per_pull_request', position: ahead(4_812) }),
      4_812,
    ],
    ['each pull request, in a walk that does not say', activity({ method: 'per_pull_request' }), 5_000],
    ['the comparison behind the feed', activity({ position: { phase: 'repair', after: 0 } }), 0],
    ['what changed', activity({ watermark: '2026-01-01T00:00:00Z' }), 100],
    ['an ended stream', activity({ state: 'healthy', method: 'per_pull_request', position: ahead(7) }), 0],
    ['a stream that failed', activity({ state: 'failed', position: ahead(7) }), 0],
  ])('of the activity of 5,000 pull requests: %s', async (_, row, expected) => {
    expect((await leftOf([listOf(5_000), row]))['pull_request_activity']).toBe(expected);
  });

  test('of a full import is all, although what was there before is known', async () => {
    const row = activity({ state: 'never', watermark: '2026-01-01T00:00:00Z' });
    expect((await leftOf([listOf(5_000), row], 'full'))['pull_request_activity']).toBe(600);
  });

  test('of comments is those that the feed leaves out, and fewer the further they are read', async () => {
    const comments = (row: Partial<Row> = {}): Row => ({ ...activity(row), stream: 'pull_request_comments' });
    const of = async (row: Row) => (await leftOf([listOf(5_000), row]))['pull_request_comments'];
    expect(await of(comments({ state: 'never' }))).toBe(13);
    expect(await of(comments({ position: { after: 2_500 }, requests: 12 }))).toBe(11);
    expect(await of(comments({ position: { after: 5_000 }, requests: 25 }))).toBe(0);
    // Edits show in no feed: those that changed are read again.
    expect(await of(comments({ state: 'never', watermark: '2026-01-01T00:00:00Z' }))).toBe(5_000);
  });

  test('of an empty repository is a request for each list, and nothing of what hangs by it once that is known', async () => {
    const details: Row[] = [
      activity({ state: 'never' }),
      { stream: 'pull_request_comments', state: 'never', stored: 0 },
      { stream: 'ticket_comments', state: 'never', stored: 0 },
      { stream: 'ticket_changes', state: 'never', stored: 0 },
    ];
    const lists = (state: string, expected?: number): Row[] =>
      ['pull_requests', 'tickets'].map((stream) => ({
        stream,
        state,
        stored: 0,
        ...(expected === undefined ? {} : { expected }),
      }));
    const hanging = { pull_request_comments: 0, ticket_comments: 0, ticket_changes: 0 };
    expect(await leftOf([...lists('never'), ...details])).toEqual({
      ...hanging,
      pull_requests: 1,
      tickets: 1,
      pull_request_activity: 1,
    });
    expect(await leftOf([...lists('healthy', 0), ...details])).toEqual({
      ...hanging,
      pull_requests: 0,
      tickets: 0,
      pull_request_activity: 0,
    });
  });

  test('waits for the allowance of an access token, which is counted by itself', async () => {
    const { tenant, importId } = await running(1, READING);
    const { credentialId } = await tenant.credential();
    await bench.sql`update credentials set state = 'active' where id = ${credentialId}`;
    await bench.sql`update integrations set credential_id = ${credentialId} where id = ${tenant.integrationId}`;
    const end = async () => {
      const { estimatedEnd } = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
      return Date.parse(estimatedEnd!) - Date.now();
    };
    expect(await end()).toBeLessThan(600_000);
    await bench.sql`insert into request_limits (account_key, limit_group, default_limit, window_ms, blocked_until)
      values (${`credential:${credentialId}`}, 'repository_data', 1000, 3600000, now() + interval '2 hours')`;
    expect(await end()).toBeGreaterThan(7_000_000);
  });

  test('counts repositories that have not begun by those that have; nothing is known before', async () => {
    const { tenant, importId } = await running(10, READING);
    // 3 made and 44 left of the first, 47 for each of nine others.
    expect((await bench.inTenant(tenant, (tx) => forecastImport(tx, importId))).requestsLeft).toBe(467);
    const fresh = await running(10, []);
    await bench.sql`update import_repositories set state = 'pending' where import_id = ${fresh.importId}`;
    const unknown = await bench.inTenant(fresh.tenant, (tx) => forecastImport(tx, fresh.importId));
    expect(unknown).toEqual({ requestsLeft: null, recordsPerSecond: 0, estimatedEnd: null });
    await bench.sql`update imports set state = 'paused' where id = ${importId}`;
    const paused = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(paused).toMatchObject({ requestsLeft: 467, estimatedEnd: null });
    await bench.sql`update imports set state = 'completed' where id = ${importId}`;
    const ended = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(ended).toEqual({ requestsLeft: 0, recordsPerSecond: 0, estimatedEnd: null });
  });

  test.each(['counted with the import', 'settled'])(
    'a repository that failed and is tried again has begun, and reads on where it stopped: %s',
    async (how) => {
      const streams = READING.map((row) =>
        row.stream === 'pull_requests' ? { ...row, state: 'failed' } : row,
      );
      const { tenant, ids, importId } = await running(10, streams);
      const key = { importId, repositoryId: ids[0]! };
      const worker = createDatabase({
        url: bench.testDatabase.workerUrl,
        maxConnections: 1,
        applicationName: 'retry',
      });
      const asWorker = <T>(work: Parameters<typeof worker.transaction<T>>[1]) =>
        worker.transaction(tenant.organizationId, work);
      const requestsLeft = async () =>
        (await bench.inTenant(tenant, (tx) => forecastImport(tx, importId))).requestsLeft;
      const own = async () =>
        (await bench.inTenant(tenant, (tx) => readRepositoryOutlook(tx, key))).requestsLeft;

      await bench.sql`update import_streams set finished_at = now() where import_id = ${importId} and state = 'failed'`;
      await bench.sql`update import_repositories set state = 'failed', started_at = now() - interval '1 hour',
        finished_at = now() where import_id = ${importId} and place = 1`;
      // 3 made of the one that failed, so 3 for each of nine others.
      expect(await requestsLeft()).toBe(27);
      if (how === 'settled') await asWorker((tx) => settleStreams(tx, { importId, keep: 'none' }));
      expect(await requestsLeft()).toBe(27);

      await asWorker(async (tx) => {
        await lockImport(tx, importId);
        expect(await reopenFailed(tx, { importId, repositoryIds: null })).toBe(1);
      });
      // As in the first try: 3 made and 44 left of it, 47 for each of nine others.
      expect(await requestsLeft()).toBe(467);
      expect(await own()).toBe(44);

      const begins = { ...key, state: 'running', until: null, why: null, error: null } as const;
      await asWorker((tx) => updateRepositoryState(tx, begins));
      expect(await requestsLeft()).toBe(467);
      expect(await own()).toBe(44);
      // This time for good: what hangs by the list is read all the same.
      await bench.sql`update import_streams set finished_at = now() where import_id = ${importId} and state = 'failed'`;
      expect(await own()).toBe(40);
      await worker.end();
    },
  );

  test('a repository that failed before it was read is counted like those that have not begun', async () => {
    const { tenant, importId } = await running(3, READING);
    const requestsLeft = async () =>
      (await bench.inTenant(tenant, (tx) => forecastImport(tx, importId))).requestsLeft;
    expect(await requestsLeft()).toBe(44 + 2 * 47);
    await bench.sql`update import_repositories set retries = 1 where import_id = ${importId} and place = 2`;
    expect(await requestsLeft()).toBe(44 + 2 * 47);
  });
});

describe('records per second', () => {
  test('are those of the last minute', async () => {
    const { tenant, importId } = await running(1, READING);
    const rate = async () =>
      (await bench.inTenant(tenant, (tx) => forecastImport(tx, importId))).recordsPerSecond;
    // 90 in the last 30 s, and half of the 60 in the minute before.
    expect(await rate()).toBeCloseTo(2, 0);
    await bench.sql`update import_streams set window_at = now() - interval '90 seconds' where import_id = ${importId}`;
    expect(await rate()).toBeCloseTo(0.75, 1);
    await bench.sql`update import_streams set window_at = now() - interval '3 minutes' where import_id = ${importId}`;
    expect(await rate()).toBe(0);
  });

  test('move on with the pages that are stored', async () => {
    const { tenant, importId, ids } = await running(1, READING);
    const worker = createDatabase({
      url: bench.testDatabase.workerUrl,
      maxConnections: 1,
      applicationName: 'pages',
    });
    const page = (stored: number) =>
      worker.transaction(tenant.organizationId, (tx) =>
        addProgress(
          tx,
          { organizationId: tenant.organizationId, importId, repositoryId: ids[0]!, stream: 'pull_requests' },
          { stored, requests: 1 },
        ),
      );
    const windows = async () => {
      const [row] = await bench.sql`select window_records::int as now, before_records::int as before,
          window_requests::int as requests from import_streams
        where import_id = ${importId} and stream = 'pull_requests'`;
      return row;
    };
    await page(50);
    expect(await windows()).toEqual({ now: 140, before: 60, requests: 1 });
    await bench.sql`update import_streams set window_at = now() - interval '70 seconds' where import_id = ${importId}`;
    await page(20);
    expect(await windows()).toEqual({ now: 20, before: 140, requests: 1 });
    await bench.sql`update import_streams set window_at = now() - interval '5 minutes' where import_id = ${importId}`;
    await page(10);
    expect(await windows()).toEqual({ now: 10, before: 0, requests: 1 });
    await worker.end();
  });
});

test('a page of repositories shows each stream the same way', async () => {
  const { tenant, importId } = await running(2, READING);
  const rows = await bench.inTenant(tenant, (tx) =>
    listImportRepositories(tx, { importId, limit: 10, afterPlace: null, state: undefined }),
  );
  expect(rows.map(({ streams }) => streams.length)).toEqual([6, 0]);
  const list = rows[0]!.streams.find(({ stream }) => stream === 'pull_requests');
  expect(list).toMatchObject({ requests: 3, requests_left: 4 });
  expect(list!.records_rate).toBeCloseTo(2, 0);
});
