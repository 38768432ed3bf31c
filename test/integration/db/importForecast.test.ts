import { describe, expect, test } from 'vitest';
import { createDatabase } from '../../../db/client.ts';
import { listImportRepositories, totalStreams } from '../../../db/queries/api/imports.ts';
import { forecastImport, readRepositoryOutlook } from '../../../db/queries/importForecast.ts';
import { addProgress } from '../../../db/queries/importProgress.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'api' });

interface Row {
  stream: string;
  state: string;
  stored: number;
  expected?: number;
  requests?: number;
  method?: string;
  windowSecondsAgo?: number;
  window?: number;
  before?: number;
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
  }
  return { tenant, ids, importId };
}

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
      pull_request_comments: 0,
      tickets: 0,
    });
    const whole = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(whole.requestsLeft).toBe(43);
    const own = await bench.inTenant(tenant, (tx) =>
      readRepositoryOutlook(tx, { importId, repositoryId: ids[0]! }),
    );
    // Read a moment later, by a clock that goes on.
    expect(own.requestsLeft).toBe(whole.requestsLeft);
    expect(own.recordsPerSecond).toBeCloseTo(whole.recordsPerSecond, 1);
    expect(Math.abs(Date.parse(own.estimatedEnd!) - Date.parse(whole.estimatedEnd!))).toBeLessThan(10_000);
    expect(Date.parse(whole.estimatedEnd!)).toBeGreaterThan(Date.now());
  });

  test.each<[string, Partial<Row>, number]>([
    ['the feed has shown so many already', { stored: 1_500, requests: 30 }, 9],
    ['the feed shows more than is usual', { stored: 2_500, requests: 50 }, 1],
    ['there is no feed: each pull request is asked for its own', { method: 'per_pull_request' }, 320],
    ['of these some have been asked', { method: 'per_pull_request', stored: 700, requests: 120 }, 200],
    ['all have been asked, and it goes on', { method: 'per_pull_request', requests: 330 }, 1],
    ['its size is known', { expected: 400, stored: 100, requests: 2 }, 6],
    ['it has ended', { state: 'healthy', method: 'per_pull_request', requests: 320 }, 0],
  ])('of activity, where %s', async (_, row, left) => {
    const activity = { stream: 'pull_request_activity', state: 'processing', stored: 0, ...row };
    const { tenant, importId } = await running(1, [
      { stream: 'pull_requests', state: 'healthy', stored: 320, expected: 320, requests: 7 },
      activity,
    ]);
    const streams = await bench.inTenant(tenant, (tx) => totalStreams(tx, importId));
    expect(streams.find(({ stream }) => stream === 'pull_request_activity')?.requestsLeft).toBe(left);
  });

  test('is a request for each ticket whose comments and changes are to be read', async () => {
    const { tenant, importId } = await running(1, [
      { stream: 'tickets', state: 'healthy', stored: 500, expected: 500, requests: 5 },
      { stream: 'ticket_comments', state: 'processing', stored: 80, requests: 120 },
      { stream: 'ticket_changes', state: 'never', stored: 0 },
    ]);
    const streams = await bench.inTenant(tenant, (tx) => totalStreams(tx, importId));
    const left = Object.fromEntries(streams.map(({ stream, requestsLeft }) => [stream, requestsLeft]));
    expect(left).toEqual({ tickets: 0, ticket_comments: 380, ticket_changes: 500 });
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
    // 3 made and 43 left of the first, 46 for each of nine others.
    expect((await bench.inTenant(tenant, (tx) => forecastImport(tx, importId))).requestsLeft).toBe(457);
    const fresh = await running(10, []);
    await bench.sql`update import_repositories set state = 'pending' where import_id = ${fresh.importId}`;
    const unknown = await bench.inTenant(fresh.tenant, (tx) => forecastImport(tx, fresh.importId));
    expect(unknown).toEqual({ requestsLeft: null, recordsPerSecond: 0, estimatedEnd: null });
    await bench.sql`update imports set state = 'paused' where id = ${importId}`;
    const paused = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(paused).toMatchObject({ requestsLeft: 457, estimatedEnd: null });
    await bench.sql`update imports set state = 'completed' where id = ${importId}`;
    const ended = await bench.inTenant(tenant, (tx) => forecastImport(tx, importId));
    expect(ended).toEqual({ requestsLeft: 0, recordsPerSecond: 0, estimatedEnd: null });
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
