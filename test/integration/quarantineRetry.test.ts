import { MockActivityEnvironment } from '@temporalio/testing';
import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../activities/bitbucket/client.ts';
import { Fenced } from '../../activities/streams/checkpoint.ts';
import {
  createQuarantineActivities,
  type QuarantineOptions,
} from '../../activities/quarantine/quarantine.ts';
import type { Database } from '../../db/client.ts';
import type { Stream } from '../../workflows/words.ts';
import { createSituation, type Situation } from './streams/situation.ts';

let situation: Situation;
let repositoryId: string;
let importId: string;
let integrationId: string;
beforeAll(async () => {
  situation = await createSituation();
  repositoryId = await situation.repository('acme-rockets/telemetry');
  const input = await situation.startImport(repositoryId);
  ({ importId, integrationId } = input);
  await situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id, last_seen_at)
    values (${situation.organizationId}, ${integrationId}, ${repositoryId}, now())`);
  await situation.rows(sql`insert into import_streams (organization_id, import_id, repository_id, stream, state, started_at)
    values (${situation.organizationId}, ${importId}, ${repositoryId}, 'pull_requests', 'healthy', now())`);
  await situation.rows(sql`insert into streams (organization_id, repository_id, stream)
    select ${situation.organizationId}, ${repositoryId}, unnest(array['pull_requests', 'pull_request_activity', 'pull_request_comments'])`);
});
afterAll(() => situation.close());
beforeEach(async () => {
  await situation.rows(sql`delete from quarantine`);
  await situation.rows(sql`delete from quarantine_retries`);
  await situation.rows(sql`delete from pull_requests`);
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
  await situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
      parent_number, observed_at, import_id)
    values (${uuid()}, ${situation.organizationId}, ${repositoryId}, ${stream}, ${key},
      ${Buffer.from(JSON.stringify(record))}, 'too new', ${parent}, ${observedAt}, ${importId})`);
}

async function newRetry(filter: object = {}): Promise<string> {
  const id = uuid();
  await situation.rows(sql`insert into quarantine_retries (id, organization_id, integration_id, filter)
    values (${id}, ${situation.organizationId}, ${integrationId}, ${JSON.stringify(filter)}::jsonb)`);
  return id;
}

const asActivity = <Answer>(call: () => Promise<Answer>): Promise<Answer> =>
  new MockActivityEnvironment().run(call);

/** As the workflow does: chunk after chunk; how many it took. */
async function work(retryId: string, options: Partial<QuarantineOptions> = {}): Promise<number> {
  const activities = createQuarantineActivities({ database: situation.database, ...options });
  const input = { organizationId: situation.organizationId, integrationId, retryId };
  for (let chunks = 1; ; chunks += 1) {
    if (!(await asActivity(() => activities.retryQuarantined(input))).more) {
      await activities.finishQuarantineRetry({ ...input, error: null });
      return chunks;
    }
  }
}

const retryRow = async (id: string) => {
  const [row] = await situation.rows(
    sql`select state, tried, stored from quarantine_retries where id = ${id}`,
  );
  return row;
};
const count = async (query: ReturnType<typeof sql>): Promise<number> =>
  Number((await situation.rows(query))[0]?.['n']);
const left = () => count(sql`select count(*)::int as n from quarantine`);

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
    await situation.rows(sql`update import_streams set records_expected = 10, records_stored = 8, quarantined = 2
      where import_id = ${importId}`);
    const id = await newRetry();
    await work(id);
    expect(await retryRow(id)).toEqual({ state: 'done', tried: 3, stored: 2 });
    expect(await situation.rows(sql`select attempts, reason from quarantine`)).toMatchObject([
      { attempts: 2, reason: expect.stringMatching(/^title/) },
    ]);
    expect(
      await situation.rows(sql`select records_stored::int as stored, quarantined::int as quarantined
        from import_streams where import_id = ${importId} and stream = 'pull_requests'`),
    ).toEqual([{ stored: 9, quarantined: 1 }]);
    expect(await count(sql`select comment_id::int as n from pull_request_comments`)).toBe(5);
  });

  test('of a record that is stored in a newer version changes nothing but the quarantine', async () => {
    await keep(pullRequest(3, { updated_on: '2026-05-01T00:00:00Z', title: 'new' }));
    await work(await newRetry());
    await keep(pullRequest(3, { title: 'old' }), { observedAt: '2026-06-01T00:00:00Z' });
    await work(await newRetry());
    expect(await left()).toBe(0);
    expect(await situation.rows(sql`select title from pull_requests`)).toEqual([{ title: 'new' }]);
  });

  test('of an entry takes out the comment that it carries too, unless that one came later', async () => {
    const times = { created_on: '2026-01-01T00:00:00Z', updated_on: '2026-01-01T00:00:00Z' };
    const entry = (id: number) => ({
      pull_request: { id: 1 },
      comment: { id, content: { raw: 'x' }, ...times },
    });
    const comments = { stream: 'pull_request_comments', parent: 1 };
    const entries = { stream: 'pull_request_activity', parent: 1 };
    await situation.rows(sql`insert into import_streams (organization_id, import_id, repository_id, stream, state,
        quarantined, started_at)
      values (${situation.organizationId}, ${importId}, ${repositoryId}, 'pull_request_comments', 'healthy', 1, now())`);
    await keep(entry(21), entries);
    await keep({ id: 21, content: 7 }, { ...comments, key: '1/21' });
    await keep(entry(22), entries);
    await keep({ id: 22, content: 7 }, { ...comments, key: '1/22', observedAt: '2026-01-04T00:00:00Z' });
    const id = await newRetry({ stream: 'pull_request_activity' });
    await work(id);
    expect(await retryRow(id)).toEqual({ state: 'done', tried: 3, stored: 3 });
    expect(await situation.rows(sql`select record_key as key from quarantine`)).toEqual([{ key: '1/22' }]);
    expect(
      await situation.rows(sql`select records_stored::int as stored, quarantined::int as quarantined
        from import_streams where import_id = ${importId} and stream = 'pull_request_comments'`),
    ).toEqual([{ stored: 1, quarantined: 0 }]);
  });

  test('takes only what it was asked for', async () => {
    await keep(pullRequest(4));
    await keep(pullRequest(5));
    await keep({}, { stream: 'tickets' });
    const [first] = await situation.rows(sql`select id from quarantine order by id`);
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
    expect(await situation.rows(sql`select reason from quarantine`)).toMatchObject([
      { reason: expect.stringContaining('Postgres refuses it') },
    ]);
  });

  test('works through thousands in bounded chunks, each record once, whatever dies on the way', async () => {
    await situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
        observed_at, import_id)
      select ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, ${situation.organizationId}, ${repositoryId}, 'pull_requests', n::text,
        convert_to(case when n % 10 = 0 then '{"id":' || n || '}' else
          '{"id":' || n || ',"title":"x","state":"OPEN","created_on":"2026-01-01T00:00:00Z","updated_on":"2026-01-01T00:00:00Z"}'
          end, 'utf8'), 'x', now(), ${importId} from generate_series(1, 1500) n`);
    const id = await newRetry();
    const activities = createQuarantineActivities({
      database: situation.database,
      records: 50,
      recordsAChunk: 100,
    });
    const ids = { organizationId: situation.organizationId, integrationId, retryId: id };
    expect(await asActivity(() => activities.retryQuarantined(ids))).toEqual({
      more: true,
      tried: 100,
      stored: 90,
    });
    let transactions = 0;
    const dying: Database = {
      ...situation.database,
      async transaction(organizationId, run) {
        transactions += 1;
        // Every fifth dies: by turns before it began, and after its commit, when nobody hears of it.
        if (transactions % 10 === 5) throw new Error('the worker died');
        const result = await situation.database.transaction(organizationId, run);
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
    await situation.rows(sql`delete from integration_repositories`);
    const id = await newRetry();
    await work(id);
    expect(await retryRow(id)).toMatchObject({ tried: 0 });
    expect(await left()).toBe(1);
  });
});

describe('a ticket that a retry stores', () => {
  const REPOSITORY = 'acme-rockets/launch-scripts';
  const TICKETS: Stream[] = ['tickets', 'ticket_comments', 'ticket_changes'];
  let ticketsOf: string;
  beforeAll(async () => {
    ticketsOf = await situation.repository(REPOSITORY);
    await situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id, last_seen_at)
      values (${situation.organizationId}, ${integrationId}, ${ticketsOf}, now())`);
    for (const number of [1, 2, 3]) {
      await situation.simulator.mutate({
        kind: 'ticket.comment',
        repository: REPOSITORY,
        number,
        raw: 'Here',
      });
    }
    // Longer than what a walk reaches back behind its watermark.
    situation.simulator.clock.advance(20 * 60_000);
  });

  const start = async () => ({ ...(await situation.startImport(ticketsOf)), streams: TICKETS });
  const isOfOne = (path: string) => path.includes('/issues/1/');

  interface TicketJson {
    id: number;
    title?: unknown;
    heading?: unknown;
  }

  /** The first ticket as this version of the engine does not read it; `hook` comes before each request. */
  const bent = (hook: (path: string) => Promise<void> = async () => {}): BitbucketClient => ({
    get: async (request) => {
      const path = request.path ?? '';
      await hook(path);
      const answer = await situation.bitbucket.get(request);
      if (!path.includes('/issues?')) return answer;
      const json = JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as { values: TicketJson[] };
      json.values = json.values.map(({ title, ...rest }) =>
        rest.id === 1 ? { ...rest, heading: title } : { ...rest, title },
      );
      return { ...answer, json, bytes: new TextEncoder().encode(JSON.stringify(json)) };
    },
  });

  /** A newer version of the engine reads it. */
  async function readableNow(): Promise<void> {
    await situation.rows(sql`update quarantine set
      raw = convert_to(replace(convert_from(raw, 'utf8'), '"heading":', '"title":'), 'utf8')`);
    const id = await newRetry({ repository: ticketsOf });
    await work(id);
    expect(await retryRow(id)).toMatchObject({ stored: 1 });
  }

  const inFull = async () => {
    const found = await situation.differences();
    return found.split('\n').filter((line) => line.includes('ticket') && line.includes(REPOSITORY));
  };

  test('has its comments and changes read by the next import, once, and nothing else', async () => {
    await situation.rows(sql`delete from streams where repository_id = ${ticketsOf}`);
    const first = bent(async (path) => expect(isOfOne(path)).toBe(false));
    await situation.importAll(await start(), { bitbucket: first });
    expect(await inFull()).not.toEqual([]);
    await readableNow();
    const asked: string[] = [];
    const bitbucket = bent(async (path) => void asked.push(path));
    await situation.importAll(await start(), { bitbucket });
    expect(await inFull()).toEqual([]);
    expect(asked.filter((path) => /issues\/\d/.test(path)).every(isOfOne)).toBe(true);
    const before = asked.length;
    await situation.importAll(await start(), { bitbucket });
    expect(asked.slice(before).some(isOfOne)).toBe(false);
  });

  test('while they are read of others has them read by the next import too', async () => {
    for (const table of [sql`streams`, sql`tickets`, sql`ticket_comments`, sql`ticket_changes`]) {
      await situation.rows(sql`delete from ${table} where repository_id = ${ticketsOf}`);
    }
    let done = false;
    const bitbucket = bent(async (path) => {
      if (done || !path.includes('/issues/3/comments')) return;
      done = true;
      await readableNow();
    });
    const input = await start();
    await expect(situation.importAll(input, { bitbucket })).rejects.toBeInstanceOf(Fenced);
    await situation.importAll(input, { bitbucket });
    await situation.importAll(await start());
    expect(await inFull()).toEqual([]);
  });
});

describe('a pull request that a retry stores', () => {
  const REPOSITORY = 'acme-rockets/telemetry';
  /** Without the feed, whose one page would show the comment. */
  const streams: Stream[] = ['pull_requests', 'pull_request_comments'];

  /** An import while this version of the engine does not read the pull request; behind it, one that does. */
  async function importWithout(number: number): Promise<void> {
    const [record, find] = [`"type":"pullrequest","id":${String(number)},`, '"title":'];
    const fault = { kind: 'poison' as const, record, find, replace: '"heading":' };
    situation.simulator.faults.set({ seed: 1, rules: [{ match: { path: '/pullrequests\\?' }, fault }] });
    await importOnce();
    situation.simulator.faults.clear();
    expect(await left()).toBe(1);
    await situation.rows(sql`update quarantine set
      raw = convert_to(replace(convert_from(raw, 'utf8'), '"heading":', '"title":'), 'utf8')`);
  }

  async function importOnce(): Promise<void> {
    // Longer than what a walk reaches back behind its watermark.
    situation.simulator.clock.advance(20 * 60_000);
    await situation.importAll({ ...(await situation.startImport(repositoryId)), streams });
  }

  test('has its comments read by the next import, whose watermark has passed them', async () => {
    await situation.rows(sql`delete from streams where repository_id = ${repositoryId}`);
    await situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id)
      values (${situation.organizationId}, ${integrationId}, ${repositoryId}) on conflict do nothing`);
    await importOnce();
    const [found] = await situation.rows(sql`select min(number)::int as number from pull_requests`);
    const number = Number(found?.['number']);
    const mutate = (kind: string, more: Record<string, unknown>) =>
      situation.simulator.mutate({ kind, repository: REPOSITORY, number, ...more });
    const { id: comment } = (await mutate('comment.add', { raw: 'First' })) as { id: number };
    await importOnce();
    await mutate('comment.edit', { comment, raw: 'Second' });
    await importWithout(number);
    const id = await newRetry({ repository: repositoryId });
    await work(id);
    expect(await retryRow(id)).toMatchObject({ stored: 1 });
    await importOnce();
    const [row] = await situation.rows(sql`select raw ->> 'content' as content
      from pull_request_comments where comment_id = ${comment}`);
    expect(row?.['content']).toContain('Second');
  });
});
