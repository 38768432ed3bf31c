import { sql } from 'drizzle-orm';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { Fenced } from '../../../activities/streams/checkpoint.ts';
import type { Stream } from '../../../workflows/words.ts';
import { useRetryBench } from './retryBench.ts';

/** What hangs on a record that was in quarantine is read by the next import. */
const bench = useRetryBench();
const { newRetry, work, retryRow, left } = bench;
beforeEach(async () => {
  await bench.situation.rows(sql`delete from quarantine`);
  await bench.situation.rows(sql`delete from quarantine_retries`);
  await bench.situation.rows(sql`delete from pull_requests`);
});

describe('a ticket that a retry stores', () => {
  const REPOSITORY = 'acme-rockets/launch-scripts';
  const TICKETS: Stream[] = ['tickets', 'ticket_comments', 'ticket_changes'];
  let ticketsOf: string;
  beforeAll(async () => {
    ticketsOf = await bench.situation.repository(REPOSITORY);
    await bench.situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id, last_seen_at)
      values (${bench.situation.organizationId}, ${bench.integrationId}, ${ticketsOf}, now())`);
    for (const number of [1, 2, 3]) {
      await bench.situation.simulator.mutate({
        kind: 'ticket.comment',
        repository: REPOSITORY,
        number,
        raw: 'Here',
      });
    }
    // Longer than what a walk reaches back behind its watermark.
    bench.situation.simulator.clock.advance(20 * 60_000);
  });

  const start = async () => ({ ...(await bench.situation.startImport(ticketsOf)), streams: TICKETS });
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
      const answer = await bench.situation.bitbucket.get(request);
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
    await bench.situation.rows(sql`update quarantine set
      raw = convert_to(replace(convert_from(raw, 'utf8'), '"heading":', '"title":'), 'utf8')`);
    const id = await newRetry({ repository: ticketsOf });
    await work(id);
    expect(await retryRow(id)).toMatchObject({ stored: 1 });
  }

  const inFull = async () => {
    const found = await bench.situation.differences();
    return found.split('\n').filter((line) => line.includes('ticket') && line.includes(REPOSITORY));
  };

  test('has its comments and changes read by the next import, once, and nothing else', async () => {
    await bench.situation.rows(sql`delete from streams where repository_id = ${ticketsOf}`);
    const first = bent(async (path) => expect(isOfOne(path)).toBe(false));
    await bench.situation.importAll(await start(), { bitbucket: first });
    expect(await inFull()).not.toEqual([]);
    await readableNow();
    const asked: string[] = [];
    const bitbucket = bent(async (path) => void asked.push(path));
    await bench.situation.importAll(await start(), { bitbucket });
    expect(await inFull()).toEqual([]);
    expect(asked.filter((path) => /issues\/\d/.test(path)).every(isOfOne)).toBe(true);
    const before = asked.length;
    await bench.situation.importAll(await start(), { bitbucket });
    expect(asked.slice(before).some(isOfOne)).toBe(false);
  });

  test('while they are read of others has them read by the next import too', async () => {
    for (const table of [sql`streams`, sql`tickets`, sql`ticket_comments`, sql`ticket_changes`]) {
      await bench.situation.rows(sql`delete from ${table} where repository_id = ${ticketsOf}`);
    }
    let done = false;
    const bitbucket = bent(async (path) => {
      if (done || !path.includes('/issues/3/comments')) return;
      done = true;
      await readableNow();
    });
    const input = await start();
    await expect(bench.situation.importAll(input, { bitbucket })).rejects.toBeInstanceOf(Fenced);
    await bench.situation.importAll(input, { bitbucket });
    await bench.situation.importAll(await start());
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
    bench.situation.simulator.faults.set({
      seed: 1,
      rules: [{ match: { path: '/pullrequests\\?' }, fault }],
    });
    await importOnce();
    bench.situation.simulator.faults.clear();
    expect(await left()).toBe(1);
    await bench.situation.rows(sql`update quarantine set
      raw = convert_to(replace(convert_from(raw, 'utf8'), '"heading":', '"title":'), 'utf8')`);
  }

  async function importOnce(): Promise<void> {
    // Longer than what a walk reaches back behind its watermark.
    bench.situation.simulator.clock.advance(20 * 60_000);
    await bench.situation.importAll({ ...(await bench.situation.startImport(bench.repositoryId)), streams });
  }

  test('has its comments read by the next import, whose watermark has passed them', async () => {
    await bench.situation.rows(sql`delete from streams where repository_id = ${bench.repositoryId}`);
    await bench.situation.rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id)
      values (${bench.situation.organizationId}, ${bench.integrationId}, ${bench.repositoryId}) on conflict do nothing`);
    await importOnce();
    const [found] = await bench.situation.rows(sql`select min(number)::int as number from pull_requests`);
    const number = Number(found?.['number']);
    const mutate = (kind: string, more: Record<string, unknown>) =>
      bench.situation.simulator.mutate({ kind, repository: REPOSITORY, number, ...more });
    const { id: comment } = (await mutate('comment.add', { raw: 'First' })) as { id: number };
    await importOnce();
    await mutate('comment.edit', { comment, raw: 'Second' });
    await importWithout(number);
    const id = await newRetry({ repository: bench.repositoryId });
    await work(id);
    expect(await retryRow(id)).toMatchObject({ stored: 1 });
    await importOnce();
    const [row] = await bench.situation.rows(sql`select raw ->> 'content' as content
      from pull_request_comments where comment_id = ${comment}`);
    expect(row?.['content']).toContain('Second');
  });
});
