import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../activities/bitbucket/client.ts';
import type { Differences } from '../../scripts/oracle/compare.ts';
import { verifyOrganization } from '../../scripts/oracle/verifyOrganization.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import { type Bug, plantedDatabase, type Statement } from '../support/plantedBugs.ts';
import { createSituation, type ImportInput, type Situation } from './streams/situation.ts';

/**
 * The oracle is worth nothing unless it catches bugs: each of these is planted between the engine's code and its
 * database or host, and must show as what it is.
 */
const repository = (slug: string, pullRequests: number, tickets: number) => ({
  slug,
  pullRequests,
  commits: 10,
  tickets,
});
const WORLD = acmeWorld([repository('subject', 120, 110), repository('other', 5, 3)]);

let situation: Situation;
let input: ImportInput;
beforeAll(async () => {
  situation = await createSituation({ world: WORLD });
  // Decomposed, which no normalisation may touch.
  await situation.simulator.mutate({
    kind: 'pull_request.edit',
    repository: 'acme/subject',
    number: 7,
    title: 'Cafe\u0301 with a \u0000 in it',
  });
  // Its id needs more than 32 bits.
  await situation.simulator.mutate({
    kind: 'comment.add',
    repository: 'acme/subject',
    number: 7,
    raw: 'New',
  });
});
afterAll(() => situation?.close());
beforeEach(async () => {
  situation.simulator.faults.clear();
  await situation.rows(sql`delete from repositories`);
  input = await situation.startImport(await situation.repository('acme/subject'));
});

const verify = async (): Promise<Differences> =>
  verifyOrganization({
    database: situation.database,
    organizationId: situation.organizationId,
    simulatorUrl: situation.simulator.url,
  });

const count = ({ lost, extra, stale, duplicated, corrupted }: Differences) => ({
  lost,
  extra,
  stale,
  duplicated,
  corrupted,
});
const NONE = { lost: 0, extra: 0, stale: 0, duplicated: 0, corrupted: 0 };

const stores = (statement: Statement, table: string): boolean =>
  statement.text.includes(`insert into ${table} as t`);

/** A bug in what is stored in a table. */
const inRows =
  (table: string, change: (rows: Record<string, unknown>[]) => Record<string, unknown>[]): Bug =>
  (statement) =>
    stores(statement, table) ? statement.withRows(change) : statement.query;

/** Imports with a bug planted. */
async function importWith(bug: Bug, more: Partial<ImportInput> & { bitbucket?: BitbucketClient } = {}) {
  const { bitbucket, ...of } = more;
  await situation.importAll(
    { ...input, ...of },
    {
      database: plantedDatabase(situation.database, bug),
      ...(bitbucket === undefined ? {} : { bitbucket }),
    },
  );
}

/** Reads the streams to their end and no further: a closing round finds out what is missing, and mends it. */
async function readOnce(bug: Bug = ({ query }) => query): Promise<void> {
  const database = plantedDatabase(situation.database, bug);
  for (;;) {
    await situation.chunk(input, { database, limits: { requests: 1 } });
    const [left] = await situation.rows(sql`select count(*)::int as n from streams
      where memory -> 'import' ->> 'importId' is distinct from ${input.importId}`);
    if (left?.['n'] === 0) return;
  }
}

/** Imports the streams that a bug can harm, and no others. */
function only(...streams: ImportInput['streams']): void {
  input = { ...input, streams };
}

test('without a bug every difference is zero, and the planting itself changes nothing', async () => {
  await importWith(({ query }) => query);
  const found = await verify();
  expect(count(found)).toEqual(NONE);
  expect(found.records).toBeGreaterThan(1_000);
});

describe('a planted bug is caught:', () => {
  const LIST = '/pullrequests?';

  test('the last page is skipped', async () => {
    only('pull_requests');
    await importWith(inRows('pull_requests', (rows) => (rows.length < 50 ? [] : rows)));
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(20);
    expect(count(found)).toEqual({ ...NONE, lost: found.lost });
  });

  test('the page that is asked for again after an error is dropped', async () => {
    only('pull_requests');
    situation.simulator.faults.set({
      rules: [{ match: { path: '/pullrequests\\?' }, nth: 2, fault: { kind: 'status', status: 503 } }],
    });
    expect(await situation.chunk(input)).toMatchObject({ done: false });
    let dropped = false;
    await readOnce(
      inRows('pull_requests', (rows) => {
        const drop = !dropped;
        dropped = true;
        return drop ? [] : rows;
      }),
    );
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(50);
    expect(count(found)).toEqual({ ...NONE, lost: found.lost });
    await situation.importAll(input);
    expect(count(await verify())).toEqual(NONE);
  });

  test('the cursor steps over one record between pages', async () => {
    only('pull_requests');
    const bitbucket: BitbucketClient = {
      get: (request) => {
        const path = request.path?.replace(
          /(id(?:\+|%20)?(?:>|%3E)(?:\+|%20)?)(\d+)/i,
          (_, before: string, id: string) =>
            Number(id) === 0 ? `${before}${id}` : `${before}${Number(id) + 1}`,
        );
        return situation.bitbucket.get(
          path !== undefined && path.includes(LIST) ? { ...request, path } : request,
        );
      },
    };
    await importWith(({ query }) => query, { bitbucket });
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(2);
    expect(count(found)).toEqual({ ...NONE, lost: found.lost });
  });

  test('insert for upsert: entries read twice are stored twice', async () => {
    only('pull_requests', 'pull_request_activity', 'pull_request_comments');
    await importWith(({ query }) => query);
    const { importId } = await situation.startImport(input.repositoryId, 'full');
    await importWith(
      inRows('pull_request_activity', (rows) =>
        rows.map((row) => ({ ...row, entry_key: `${String(row['entry_key'])} again` })),
      ),
      { importId, mode: 'full' },
    );
    const found = await verify();
    expect(found.duplicated).toBeGreaterThan(100);
    expect(count(found)).toEqual({ ...NONE, duplicated: found.duplicated });
  });

  test('the checkpoint is committed before the rows, and the worker crashes in between', async () => {
    only('pull_requests');
    let pages = 0;
    const crash: Bug = async (statement, organizationId) => {
      const moves = statement.text.includes('update streams set position');
      if (!moves) return statement.query;
      pages += 1;
      if (pages !== 2) return statement.query;
      await situation.database.transaction(organizationId, (tx) => tx.execute(statement.query));
      throw new Error('crashed');
    };
    await expect(importWith(crash)).rejects.toThrow('crashed');
    await readOnce();
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(50);
    expect(count(found)).toEqual({ ...NONE, lost: found.lost });
    await situation.importAll(input);
    expect(count(await verify())).toEqual(NONE);
  });

  test('rows of one repository are stored under another', async () => {
    only('tickets');
    const otherId = await situation.repository('acme/other');
    const other = await situation.startImport(otherId);
    await situation.importAll({ ...other, streams: input.streams });
    await importWith((statement) =>
      stores(statement, 'tickets')
        ? statement.withValues((value) => (value === input.repositoryId ? otherId : value))
        : statement.query,
    );
    const found = await verify();
    expect(found.lost).toBeGreaterThan(100);
    expect(found.extra).toBeGreaterThan(100);
  });

  test('a stale writer: an older page is stored last, without the guard', async () => {
    only('pull_requests');
    const pages: Statement[] = [];
    await importWith((statement) => {
      if (stores(statement, 'pull_requests')) pages.push(statement);
      return statement.query;
    });
    const edit = { kind: 'pull_request.edit', repository: 'acme/subject', number: 9 };
    await situation.simulator.mutate({ ...edit, title: 'Newer' });
    const { importId } = await situation.startImport(input.repositoryId);
    await situation.importAll({ ...input, importId });
    expect(count(await verify())).toEqual(NONE);
    await situation.rows(sql`delete from pull_requests where number = 9`);
    for (const page of pages) {
      await situation.rows(page.withRows((rows) => rows.filter(({ number }) => number === 9)));
    }
    const found = await verify();
    expect(found.stale).toBe(1);
  });

  test('microseconds are cut off', async () => {
    only('pull_requests');
    await importWith(
      inRows('pull_requests', (rows) =>
        rows.map((row) => ({
          ...row,
          created_on: String(row['created_on']).replace(/(\.\d{3})\d+/, '$1'),
        })),
      ),
    );
    const found = await verify();
    expect(found.corrupted).toBeGreaterThan(100);
    expect(count(found)).toEqual({ ...NONE, corrupted: found.corrupted });
  });

  test('Unicode is normalised', async () => {
    only('pull_requests');
    await importWith(
      inRows('pull_requests', (rows) =>
        rows.map((row) => ({ ...row, title: String(row['title']).normalize('NFC') })),
      ),
    );
    const found = await verify();
    expect(found.corrupted).toBeGreaterThanOrEqual(1);
    expect(found.examples.join('\n')).toContain('title');
  });

  test('NUL is thrown away', async () => {
    only('pull_requests');
    await importWith(
      inRows('pull_requests', (rows) =>
        rows.map((row) => ({ ...row, title: String(row['title']).replaceAll('\u001a0000', '') })),
      ),
    );
    expect((await verify()).corrupted).toBeGreaterThanOrEqual(1);
  });

  test('participants are left out', async () => {
    only('pull_requests');
    await importWith(inRows('pull_requests', (rows) => rows.map((row) => ({ ...row, participants: null }))));
    const found = await verify();
    expect(found.lost).toBeGreaterThan(100);
    expect(found.examples.join('\n')).toContain('lost: participant');
  });

  test('deleted comments are dropped', async () => {
    only('pull_requests', 'pull_request_activity', 'pull_request_comments');
    await importWith(
      inRows('pull_request_comments', (rows) => rows.filter(({ deleted }) => deleted !== true)),
    );
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(1);
    expect(found.examples.join('\n')).toContain('lost: comment');
  });

  test('ids are cut to 32 bits', async () => {
    only('pull_requests', 'pull_request_comments');
    await importWith(
      inRows('pull_request_comments', (rows) =>
        rows.map((row) => ({ ...row, comment_id: Number(row['comment_id']) % 2 ** 32 })),
      ),
    );
    const found = await verify();
    expect(found.lost).toBeGreaterThanOrEqual(1);
    expect(found.extra).toBeGreaterThanOrEqual(1);
  });
});
