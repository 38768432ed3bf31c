import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { beforeEach, describe, expect, test } from 'vitest';
import { createQuarantineActivities } from '../../../activities/quarantine/quarantine.ts';
import type { Database } from '../../../db/client.ts';
import { asActivity, useRetryBench } from './retryBench.ts';

const bench = useRetryBench();
const { newRetry, work, retryRow, count, left } = bench;
beforeEach(async () => {
  await bench.situation.rows(sql`delete from quarantine`);
  await bench.situation.rows(sql`delete from quarantine_retries`);
  await bench.situation.rows(sql`delete from pull_requests`);
});

const pullRequest = (number: number, more: object = {}) => ({
  id: number,
  title: `number ${String(number)}`,
  state: 'OPEN',
  created_on: '2026-01-01T00:00:00Z',
  updated_on: '2026-01-02T00:00:00Z',
  ...more,
});

async function keep(
  record: object,
  {
    stream = 'pull_requests',
    parent = null as number | null,
    observedAt = '2026-01-03T00:00:00Z',
    key = uuid(),
  } = {},
): Promise<void> {
  await bench.situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
      parent_number, observed_at, import_id)
    values (${uuid()}, ${bench.situation.organizationId}, ${bench.repositoryId}, ${stream}, ${key},
      ${Buffer.from(JSON.stringify(record))}, 'too new', ${parent}, ${observedAt}, ${bench.importId})`);
}

describe('a retry', () => {
  test('stores what can be read now, moves it in the counts, and counts an attempt of the rest', async () => {
    await keep(pullRequest(1));
    await keep(pullRequest(2, { title: 7 }));
    await keep(
      {
        id: 5,
        content: { raw: 'late' },
        created_on: '2026-01-01T00:00:00Z',
        updated_on: '2026-01-01T00:00:00Z',
      },
      {
        stream: 'pull_request_comments',
        parent: 1,
      },
    );
    await bench.situation.rows(sql`update import_streams set records_expected = 10, records_stored = 8, quarantined = 2
      where import_id = ${bench.importId}`);
    const id = await newRetry();
    await work(id);
    expect(await retryRow(id)).toEqual({ state: 'done', tried: 3, stored: 2 });
    expect(await bench.situation.rows(sql`select attempts, reason from quarantine`)).toMatchObject([
      { attempts: 2, reason: expect.stringMatching(/^title/) },
    ]);
    expect(
      await bench.situation.rows(sql`select records_stored::int as stored, quarantined::int as quarantined
        from import_streams where import_id = ${bench.importId} and stream = 'pull_requests'`),
    ).toEqual([{ stored: 9, quarantined: 1 }]);
    expect(await count(sql`select comment_id::int as n from pull_request_comments`)).toBe(5);
  });

  test('of a record that is stored in a newer version changes nothing but the quarantine', async () => {
    await keep(pullRequest(3, { updated_on: '2026-05-01T00:00:00Z', title: 'new' }));
    await work(await newRetry());
    await keep(pullRequest(3, { title: 'old' }), { observedAt: '2026-06-01T00:00:00Z' });
    await work(await newRetry());
    expect(await left()).toBe(0);
    expect(await bench.situation.rows(sql`select title from pull_requests`)).toEqual([{ title: 'new' }]);
  });

  test('of an entry takes out the comment that it carries too, unless that one came later', async () => {
    const times = { created_on: '2026-01-01T00:00:00Z', updated_on: '2026-01-01T00:00:00Z' };
    const entry = (id: number) => ({
      pull_request: { id: 1 },
      comment: { id, content: { raw: 'x' }, ...times },
    });
    const comments = { stream: 'pull_request_comments', parent: 1 };
    const entries = { stream: 'pull_request_activity', parent: 1 };
    await bench.situation.rows(sql`insert into import_streams (organization_id, import_id, repository_id, stream, state,
        quarantined, started_at)
      values (${bench.situation.organizationId}, ${bench.importId}, ${bench.repositoryId}, 'pull_request_comments', 'healthy', 1, now())`);
    await keep(entry(21), entries);
    await keep({ id: 21, content: 7 }, { ...comments, key: '1/21' });
    await keep(entry(22), entries);
    await keep({ id: 22, content: 7 }, { ...comments, key: '1/22', observedAt: '2026-01-04T00:00:00Z' });
    const id = await newRetry({ stream: 'pull_request_activity' });
    await work(id);
    expect(await retryRow(id)).toEqual({ state: 'done', tried: 3, stored: 3 });
    expect(await bench.situation.rows(sql`select record_key as key from quarantine`)).toEqual([
      { key: '1/22' },
    ]);
    expect(
      await bench.situation.rows(sql`select records_stored::int as stored, quarantined::int as quarantined
        from import_streams where import_id = ${bench.importId} and stream = 'pull_request_comments'`),
    ).toEqual([{ stored: 1, quarantined: 0 }]);
  });

  test('takes only what it was asked for', async () => {
    await keep(pullRequest(4));
    await keep(pullRequest(5));
    await keep({}, { stream: 'tickets' });
    const [first] = await bench.situation.rows(sql`select id from quarantine order by id`);
    const byId = await newRetry({ ids: [first!['id']] });
    await work(byId);
    expect(await retryRow(byId)).toMatchObject({ tried: 1, stored: 1 });
    const byStream = await newRetry({ stream: 'tickets' });
    await work(byStream);
    expect(await retryRow(byStream)).toMatchObject({ tried: 1, stored: 0 });
    const elsewhere = await newRetry({ repository: uuid() });
    await work(elsewhere);
    expect(await retryRow(elsewhere)).toMatchObject({ tried: 0 });
    expect(await left()).toBe(2);
  });

  test('where Postgres refuses one of them, the others are stored', async () => {
    for (let number = 10; number < 20; number += 1) {
      await keep(pullRequest(number, number === 14 ? { comment_count: 2 ** 40 } : {}));
    }
    const id = await newRetry();
    await work(id);
    expect(await retryRow(id)).toMatchObject({ tried: 10, stored: 9 });
    expect(await bench.situation.rows(sql`select reason from quarantine`)).toMatchObject([
      { reason: expect.stringContaining('Postgres refuses it') },
    ]);
  });

  test('works through thousands in bounded chunks, each record once, whatever dies on the way', async () => {
    await bench.situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
        observed_at, import_id)
      select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, ${bench.situation.organizationId}, ${bench.repositoryId}, 'pull_requests', n::text,
        convert_to(case when n % 10 = 0 then '{"id":' || n || '}' else
          '{"id":' || n || ',"title":"x","state":"OPEN","created_on":"2026-01-01T00:00:00Z","updated_on":"2026-01-01T00:00:00Z"}'
          end, 'utf8'), 'x', now(), ${bench.importId} from generate_series(1, 1500) n`);
    const id = await newRetry();
    const activities = createQuarantineActivities({
      database: bench.situation.database,
      records: 50,
      recordsAChunk: 100,
    });
    const ids = {
      organizationId: bench.situation.organizationId,
      integrationId: bench.integrationId,
      retryId: id,
    };
    expect(await asActivity(() => activities.retryQuarantined(ids))).toEqual({
      more: true,
      tried: 100,
      stored: 90,
    });
    let transactions = 0;
    const dying: Database = {
      ...bench.situation.database,
      async transaction(organizationId, run) {
        transactions += 1;
        // Every fifth dies: by turns before it began, and after its commit, when nobody hears of it.
        if (transactions % 10 === 5) throw new Error('the worker died');
        const result = await bench.situation.database.transaction(organizationId, run);
        if (transactions % 10 === 0) throw new Error('the worker died');
        return result;
      },
    };
    let deaths = 0;
    for (let done = false; !done; ) {
      try {
        await work(id, { database: dying, records: 50, recordsAChunk: 200 });
        done = true;
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'the worker died') throw error;
        deaths += 1;
      }
    }
    expect(deaths).toBeGreaterThan(5);
    expect(await retryRow(id)).toEqual({ state: 'done', tried: 1_500, stored: 1_350 });
    expect(await count(sql`select count(*)::int as n from pull_requests`)).toBe(1_350);
    expect(await count(sql`select count(*)::int as n from quarantine where attempts = 2`)).toBe(150);
  });

  test('of two that work at the same retry each record is tried once', async () => {
    for (let number = 100; number < 140; number += 1) await keep(pullRequest(number, { title: 1 }));
    const id = await newRetry();
    await Promise.all([work(id, { records: 7 }), work(id, { records: 7 })]);
    expect(await retryRow(id)).toMatchObject({ tried: 40, stored: 0 });
    expect(await count(sql`select max(attempts)::int as n from quarantine`)).toBe(2);
  });

  test('sees nothing of a repository that the integration does not see', async () => {
    await keep(pullRequest(6));
    await bench.situation.rows(sql`delete from integration_repositories`);
    const id = await newRetry();
    await work(id);
    expect(await retryRow(id)).toMatchObject({ tried: 0 });
    expect(await left()).toBe(1);
  });
});
