import { v7 as uuid } from 'uuid';
import { describe, expect, test } from 'vitest';
import { readImportDetail } from '../../../api/importDetail.ts';
import { presentImportRepository } from '../../../api/schemas/importRepository.ts';
import { listImportRepositories } from '../../../db/queries/api/imports.ts';
import { readSurroundings } from '../../../db/queries/importForecast.ts';
import type { Range } from '../../../forecast/range.ts';
import type { ImportMode } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'api' });

interface Row {
  stream: string;
  state: string;
  stored: number;
  expected?: number;
  position?: Record<string, unknown>;
  watermark?: string;
}

const SELECTION = { all: true };
const range = (low: number, expected: number, high: number): Range => ({
  low,
  expected,
  high,
  basis: 'pull_requests',
});
const resultOf = (commits: Range, activity: Range) => ({
  requests: range(0, 0, 0),
  streams: [
    { stream: 'commits', records: commits, requests: range(0, 0, 0) },
    { stream: 'pull_request_activity', records: activity, requests: range(0, 0, 0) },
  ],
});

/** An import of `count` repositories; the rows are the streams of the first, which has begun. */
async function importing(count: number, rows: Row[]) {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(count);
  const importId = await tenant.storeImport(SELECTION);
  await bench.sql`update imports set state = 'running', started_at = now() where id = ${importId}`;
  for (const [place, id] of ids.entries()) {
    await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
      values (${tenant.organizationId}, ${importId}, ${id}, ${place + 1}, ${place === 0 ? 'running' : 'pending'})`;
  }
  await bench.sql`update repositories set size_bytes = 8000000 where id = ${ids[0]!}`;
  for (const { stream, state, stored, expected, position, watermark } of rows) {
    await bench.sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored,
        records_expected) values (${tenant.organizationId}, ${importId}, ${ids[0]!}, ${stream}, ${state}, ${stored},
        ${expected ?? null})`;
    await bench.sql`insert into streams (organization_id, repository_id, stream, position, watermark)
      values (${tenant.organizationId}, ${ids[0]!}, ${stream},
        ${position === undefined ? null : bench.sql.json(position as never)}, ${watermark ?? null})`;
  }
  /** A dry run of the same choice; `hoursAfter`: than the import. */
  const dryRun = async (
    first: ReturnType<typeof resultOf>,
    all: ReturnType<typeof resultOf>,
    { mode = 'changed', hoursAfter = -1 }: { mode?: ImportMode; hoursAfter?: number } = {},
  ) => {
    const id = uuid();
    await bench.sql`insert into import_estimates (id, organization_id, integration_id, mode, state, selection, result, created_at)
      values (${id}, ${tenant.organizationId}, ${tenant.integrationId}, ${mode}, 'done', ${bench.sql.json(SELECTION)},
        ${bench.sql.json(all as never)}, now() + make_interval(hours => ${hoursAfter}))`;
    await bench.sql`insert into import_estimate_repositories (organization_id, estimate_id, repository_id, place, stratum,
        weight, done, result)
      values (${tenant.organizationId}, ${id}, ${ids[0]!}, 1, 0, 1, true, ${bench.sql.json(first as never)})`;
  };
  const repository = () =>
    bench.inTenant(tenant, async (tx) => {
      const [row] = await listImportRepositories(tx, {
        importId,
        limit: 1,
        afterPlace: null,
        state: undefined,
      });
      const { streams } = presentImportRepository(row!, await readSurroundings(tx, importId));
      return Object.fromEntries(streams.map((one) => [one.stream, one.expected_range]));
    });
  const whole = async () => {
    const detail = await bench.inTenant(tenant, (tx) => readImportDetail(tx, importId));
    return Object.fromEntries(detail!.streams.map((one) => [one.stream, one.expected_range]));
  };
  return { tenant, importId, dryRun, repository, whole };
}

const READING: Row[] = [
  { stream: 'commits', state: 'processing', stored: 0 },
  { stream: 'pull_requests', state: 'healthy', stored: 200, expected: 200 },
  { stream: 'pull_request_activity', state: 'never', stored: 0 },
];

describe('the range of commits and activity', () => {
  test('is guessed from list and size where there was no dry run', async () => {
    const { repository, whole } = await importing(1, READING);
    const guessed = {
      commits: { low: 160, expected: 2_000, high: 32_000, basis: 'repository_size' },
      pull_requests: null,
      pull_request_activity: range(200, 1_200, 3_600),
    };
    expect(await repository()).toEqual(guessed);
    expect(await whole()).toEqual(guessed);
  });

  test('is that of the newest dry run before the import, of the same mode', async () => {
    const { dryRun, repository, whole } = await importing(1, READING);
    const wrong = resultOf(range(1, 2, 3), range(1, 2, 3));
    await dryRun(wrong, wrong, { hoursAfter: -2 });
    await dryRun(wrong, wrong, { mode: 'full' });
    await dryRun(wrong, wrong, { hoursAfter: 1 });
    const own = resultOf(range(900, 1_000, 1_100), range(1_100, 1_300, 1_500));
    await dryRun(own, own);
    const told = { commits: range(900, 1_000, 1_100), pull_request_activity: range(1_100, 1_300, 1_500) };
    expect(await repository()).toMatchObject(told);
    expect(await whole()).toMatchObject(told);
  });

  test('narrows with what is stored and with the walk, to the count at the end', async () => {
    const { tenant, importId, dryRun, repository, whole } = await importing(1, READING);
    const own = resultOf(range(900, 1_000, 1_100), range(1_100, 1_300, 1_500));
    await dryRun(own, own);
    const set = async (stream: string, state: string, stored: number, expected: number | null) => {
      await bench.sql`update import_streams set state = ${state}, records_stored = ${stored}, records_expected = ${expected}
        where import_id = ${importId} and stream = ${stream}`;
    };
    await set('commits', 'processing', 0, 1_042);
    await set('pull_request_activity', 'processing', 1_250, null);
    expect(await repository()).toMatchObject({
      commits: { low: 1_042, expected: 1_042, high: 1_042, basis: 'listed' },
      pull_request_activity: range(1_250, 1_300, 1_500),
    });
    const ahead = { requests: 2, records: { low: 80, expected: 90, high: 100 } };
    await bench.sql`update streams set position = ${bench.sql.json({ ahead })} where organization_id = ${tenant.organizationId}
      and stream = 'pull_request_activity'`;
    expect(await whole()).toMatchObject({ pull_request_activity: range(1_330, 1_340, 1_350) });
    await set('commits', 'healthy', 1_042, 1_042);
    await set('pull_request_activity', 'healthy', 1_345, 1_345);
    const counted = (count: number) => ({ low: count, expected: count, high: count, basis: 'counted' });
    const ended = { commits: counted(1_042), pull_request_activity: counted(1_345), pull_requests: null };
    expect(await repository()).toEqual(ended);
    expect(await whole()).toEqual(ended);
  });

  test('of repositories that have not begun is that of the dry run; without one, of the others', async () => {
    const { dryRun, whole } = await importing(4, READING);
    expect((await whole())['pull_request_activity']).toEqual({
      low: 200,
      expected: 4_800,
      high: 36_000,
      basis: 'sampled_repositories',
    });
    await dryRun(
      resultOf(range(900, 1_000, 1_100), range(1_100, 1_300, 1_500)),
      resultOf(range(3_000, 4_000, 5_000), range(5_000, 6_000, 7_000)),
    );
    expect(await whole()).toMatchObject({
      commits: range(3_000, 4_000, 5_000),
      pull_request_activity: range(5_000, 6_000, 7_000),
    });
  });

  test('counts a repository that is to be tried again once, by its streams', async () => {
    const { importId, whole } = await importing(1, READING);
    const before = await whole();
    await bench.sql`update import_repositories set state = 'pending', retries = 1 where import_id = ${importId}`;
    expect(await whole()).toEqual(before);
  });

  test('is not known before the list of pull requests, nor what is new since the last import', async () => {
    const { repository } = await importing(1, [
      { stream: 'pull_requests', state: 'processing', stored: 0 },
      { stream: 'pull_request_activity', state: 'never', stored: 0 },
    ]);
    expect((await repository())['pull_request_activity']).toBeNull();
    const again = await importing(1, [
      { stream: 'pull_requests', state: 'healthy', stored: 3, expected: 3 },
      { stream: 'pull_request_activity', state: 'never', stored: 0, watermark: '2026-01-01T00:00:00Z' },
    ]);
    expect((await again.repository())['pull_request_activity']).toEqual(range(3, 3, 54));
  });

  test('of an empty repository is none', async () => {
    const { tenant, repository } = await importing(1, [
      { stream: 'commits', state: 'processing', stored: 0 },
      { stream: 'pull_requests', state: 'healthy', stored: 0, expected: 0 },
      { stream: 'pull_request_activity', state: 'never', stored: 0 },
    ]);
    await bench.sql`update repositories set size_bytes = 0 where organization_id = ${tenant.organizationId}`;
    expect(await repository()).toMatchObject({ commits: null, pull_request_activity: range(0, 0, 0) });
  });
});
