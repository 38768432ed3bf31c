import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { readImportDetail } from '../../../api/importDetail.ts';
import { totalStreams } from '../../../db/queries/api/imports.ts';
import type { Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/telemetry';
const PULL_REQUESTS: Stream[] = ['pull_requests', 'pull_request_activity', 'pull_request_comments'];

let situation: Situation;
let repositoryId: string;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
  repositoryId = await situation.repository(REPOSITORY);
});
afterAll(() => situation.close());
beforeEach(async () => {
  const tables = ['streams', 'pull_requests', 'pull_request_activity', 'pull_request_comments'];
  for (const table of tables) await situation.rows(sql`delete from ${sql.identifier(table)}`);
});
afterEach(() => situation.simulator.faults.clear());

interface Look {
  /** rows in all */
  range: { low: number; expected: number; high: number } | null;
  stored: number;
  state: string;
  made: number;
  told: number;
}

/** Imports request by request; how one of its streams stood behind each. */
async function follow(input: ImportInput, stream: Stream): Promise<Look[]> {
  const looks: Look[] = [];
  for (;;) {
    const { done } = await situation.chunk(input, { limits: { requests: 1 } });
    const detail = await situation.database.transaction(input.organizationId, (tx) =>
      readImportDetail(tx, input.importId),
    );
    const [row] = await situation.rows(sql`select state from import_streams
      where import_id = ${input.importId} and stream = ${stream}`);
    const of = detail?.streams.find((one) => one.stream === stream);
    if (of !== undefined)
      looks.push({
        state: String(row?.['state']),
        made: of.requests,
        told: of.requests_left,
        stored: of.stored,
        range: of.expected_range,
      });
    if (done) return looks;
  }
}

async function start(streams: Stream[]): Promise<ImportInput> {
  const input = await situation.startImport(repositoryId);
  // As its workflow would.
  await situation.rows(
    sql`update import_repositories set state = 'running' where import_id = ${input.importId}`,
  );
  return { ...input, streams };
}

/** How far what was told of the rest was from what came. */
function errors(looks: Look[]): number[] {
  const inAll = looks.at(-1)!.made;
  return looks.map(({ made, told }) => Math.abs(inAll - made - told));
}

test('what is left of the feed is what comes', async () => {
  const looks = await follow(await start(PULL_REQUESTS), 'pull_request_activity');
  expect(looks.at(-1)).toMatchObject({ state: 'healthy', told: 0 });
  expect(Math.max(...errors(looks))).toBeLessThanOrEqual(2);
  const { stored } = looks.at(-1)!;
  const widths = looks.map(({ range }) => {
    expect(range!.low).toBeLessThanOrEqual(stored);
    expect(range!.high).toBeGreaterThanOrEqual(stored);
    return range!.high - range!.low;
  });
  expect(widths).toEqual(widths.toSorted((one, other) => other - one));
  expect(looks.at(-1)!.range).toEqual({ low: stored, expected: stored, high: stored, basis: 'counted' });
});

test('what is left of pull requests that are asked one by one is what comes', async () => {
  situation.simulator.faults.set({
    rules: [{ match: { path: '/pullrequests/activity' }, fault: { kind: 'status', status: 410 } }],
  });
  const looks = await follow(await start(PULL_REQUESTS), 'pull_request_activity');
  const oneByOne = looks.filter(({ made }) => made > 1);
  expect(oneByOne.length).toBeGreaterThan(20);
  expect(Math.max(...errors(oneByOne))).toBeLessThanOrEqual(2);
});

test('an import that goes on where another was cancelled knows what is left', async () => {
  const first = await start(PULL_REQUESTS);
  const looked = async (input: ImportInput) => {
    const totals = await situation.database.transaction(input.organizationId, (tx) =>
      totalStreams(tx, input.importId),
    );
    return totals.find(({ stream }) => stream === 'pull_request_activity');
  };
  for (;;) {
    await situation.chunk(first, { limits: { requests: 1 } });
    if (((await looked(first))?.requests ?? 0) >= 3) break;
  }
  const left = (await looked(first))?.requestsLeft;
  expect(left).toBeGreaterThan(2);
  const second = await follow(await start(PULL_REQUESTS), 'pull_request_activity');
  const begun = second.findIndex(({ state, made }) => state === 'processing' && made > 0);
  expect(Math.max(...errors(second.slice(begun)))).toBeLessThanOrEqual(1);
  expect(second.at(-1)?.made).toBeLessThanOrEqual(left! + 1);
});

test('what is left of the details of tickets are those that were touched', async () => {
  repositoryId = await situation.repository('acme-rockets/secret-sauce');
  const looks = await follow(
    await start(['tickets', 'ticket_comments', 'ticket_changes']),
    'ticket_comments',
  );
  const inAll = looks.at(-1)!.made;
  expect(looks.at(-1)).toMatchObject({ state: 'healthy', told: 0 });
  expect(Math.max(...errors(looks.filter(({ made }) => made > 0)))).toBeLessThanOrEqual(inAll / 2);
});
