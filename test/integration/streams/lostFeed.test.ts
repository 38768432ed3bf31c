import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BitbucketAnswer, BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { BadRequest } from '../../../activities/bitbucket/errors.ts';
import type { Stream } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/telemetry';
const STREAMS: Stream[] = ['pull_requests', 'pull_request_activity', 'pull_request_comments'];
const FEED = '/pullrequests/activity';

let situation: Situation;
let repositoryId: string;
/** requests before the test */
let before = 0;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
  repositoryId = await situation.repository(REPOSITORY);
});
afterAll(() => situation.close());
beforeEach(async () => {
  const tables = ['streams', 'pull_requests', 'pull_request_activity', 'pull_request_comments'];
  for (const table of tables) await situation.rows(sql`delete from ${sql.identifier(table)}`);
  before = situation.simulator.journal.since(0).length;
});
afterEach(() => situation.simulator.faults.clear());

const start = async (mode: 'changed' | 'full' = 'changed'): Promise<ImportInput> => ({
  ...(await situation.startImport(repositoryId, mode)),
  streams: STREAMS,
});
const limits = { requests: 1_000 };
const mutate = (kind: string, more: Record<string, unknown>) =>
  situation.simulator.mutate({ kind, repository: REPOSITORY, ...more });
const fails = (status: number, more: object = {}): void =>
  situation.simulator.faults.set({
    rules: [{ match: { path: FEED }, fault: { kind: 'status', status }, ...more }],
  });

const asked = (): string[] =>
  situation.simulator.journal
    .since(0)
    .slice(before)
    .map(({ path }) => path.replace(/^.*?\/telemetry\/|\?.*$/g, ''))
    .filter((path) => path !== '');
const ownOf = (paths: string[]): string[] =>
  paths.filter((path) => /^pullrequests\/\d+\/activity/.test(path));

const reported = async (input: ImportInput) => {
  const [row] = await situation.rows(sql`select method, notes from import_streams
    where import_id = ${input.importId} and stream = 'pull_request_activity'`);
  // Entries that say nothing are there whichever way the activity is read.
  const notes = Object.keys(row?.['notes'] as object).filter((code) => code !== 'entries_without_kind');
  return { method: row?.['method'], notes };
};

const expectExact = async (input: ImportInput): Promise<void> => {
  expect(await situation.differences()).toBe('');
  for (const state of await situation.streamStates(input)) {
    expect(state, String(state['stream'])).toMatchObject({ state: 'healthy', stored: state['expected'] });
  }
};

/** The feed's answers, changed on their way; `page` counts from 1. */
function feedChanged(
  change: (json: { values: unknown[]; next?: string }, page: number) => void,
): BitbucketClient {
  let page = 0;
  return {
    get: async (request) => {
      const answer = await situation.bitbucket.get(request);
      if (!(request.path ?? request.next ?? '').includes(FEED)) return answer;
      const json = JSON.parse(Buffer.from(answer.bytes).toString('utf8')) as { values: unknown[] };
      change(json, (page += 1));
      return { ...answer, json, bytes: Buffer.from(JSON.stringify(json)) } satisfies BitbucketAnswer;
    },
  };
}

test('a feed that can be had is what the report names', async () => {
  const input = await start();
  await situation.importAll(input, { limits });
  expect(await reported(input)).toEqual({ method: 'feed', notes: [] });
});

describe('where the feed cannot be had, each pull request is asked for its own activity', () => {
  test.each([410, 404, 403])('%i: and the report says so', async (status) => {
    fails(status);
    const input = await start();
    await situation.importAll(input, { limits });
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_unavailable'] });
    await expectExact(input);
  });

  test('the next import asks only those that changed, and takes the feed again where it is back', async () => {
    fails(410);
    await situation.importAll(await start(), { limits });
    situation.simulator.clock.advance(20 * 60_000);
    await mutate('comment.add', { number: 7, raw: 'Said' });
    situation.simulator.clock.advance(20 * 60_000);
    const earlier = asked().length;
    await situation.importAll(await start(), { limits });
    expect(ownOf(asked().slice(earlier))).toEqual(['pullrequests/7/activity']);
    expect(await situation.differences()).toBe('');
    situation.simulator.faults.clear();
    const last = await start();
    await situation.importAll(last, { limits });
    expect(await reported(last)).toEqual({ method: 'feed', notes: [] });
  });

  test('a repository that is gone is not taken for a missing feed, nor its pull requests for missing ones', async () => {
    const input = await start();
    let gone = false;
    const bitbucket: BitbucketClient = {
      get: async (request) => {
        if (!gone && (request.path ?? '').includes(FEED)) {
          gone = true;
          await situation.simulator.mutate({ kind: 'repository.delete', repository: REPOSITORY });
        }
        return situation.bitbucket.get(request);
      },
    };
    await expect(situation.chunk(input, { bitbucket, limits })).rejects.toMatchObject({
      type: 'RepositoryGone',
    });
    expect(ownOf(asked())).toEqual([]);
    const [row] = await situation.rows(sql`select s.state, r.provider_uuid from streams s
      join repositories r on r.id = s.repository_id where s.stream = 'pull_request_activity'`);
    await situation.simulator.mutate({ kind: 'repository.restore', repository: row?.['provider_uuid'] });
    expect(row?.['state']).toBe('failed');
  });

  test('one that answers errors for half an hour is given up, if the repository is shown', async () => {
    fails(503);
    const input = await start();
    const attempt = () => situation.chunk(input, { limits });
    // The list of pull requests is stored before, so the first chunk ends well in front of the feed.
    expect(await attempt()).toMatchObject({ done: false, stream: 'pull_request_activity' });
    await expect(attempt()).rejects.toMatchObject({ type: 'Upstream' });
    expect(ownOf(asked())).toEqual([]);
    await situation.rows(sql`update streams set position = jsonb_set(position, '{failingSince}',
      to_jsonb(replace(((position ->> 'failingSince')::timestamptz at time zone 'utc' - interval '31 minutes')::text,
        ' ', 'T') || 'Z')) where stream = 'pull_request_activity'`);
    await situation.importAll(input, { limits });
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_fails'] });
    await expectExact(input);
  });
});

describe('a feed that ends early', () => {
  test.each([1, 2])('behind page %i: older pull requests are asked by themselves', async (last) => {
    const bitbucket = feedChanged((json, page) => {
      if (page === last) delete json.next;
    });
    const input = await start();
    await situation.importAll(input, { bitbucket, limits });
    const own = ownOf(asked());
    expect(own.length).toBeGreaterThan(0);
    expect(own.length).toBeLessThan(60);
    expect(new Set(own).size).toBe(own.length);
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_ended_early'] });
    await expectExact(input);
  });

  test('empty although there are pull requests: all are asked', async () => {
    const bitbucket = feedChanged((json) => {
      json.values = [];
      delete json.next;
    });
    const input = await start();
    await situation.importAll(input, { bitbucket, limits });
    expect(ownOf(asked())).toHaveLength(60);
    await expectExact(input);
  });

  test('before it came down to what is stored: those that changed are asked', async () => {
    await situation.importAll(await start(), { limits });
    situation.simulator.clock.advance(20 * 60_000);
    await mutate('comment.add', { number: 7, raw: 'Said' });
    situation.simulator.clock.advance(20 * 60_000);
    const earlier = asked().length;
    const bitbucket = feedChanged((json) => {
      json.values = [];
      delete json.next;
    });
    await situation.importAll(await start(), { bitbucket, limits });
    expect(ownOf(asked().slice(earlier))).toEqual(['pullrequests/7/activity']);
    expect(await situation.differences()).toBe('');
  });
});

describe('a feed that contradicts the pull requests', () => {
  interface Entry {
    pull_request: { id: number };
    comment?: object;
    update?: { state?: string };
  }
  const notesOf = async (input: ImportInput, stream: Stream) => {
    const [row] = await situation.rows(sql`select method, notes from import_streams
      where import_id = ${input.importId} and stream = ${stream}`);
    return { method: row?.['method'], notes: row?.['notes'] };
  };
  /** The feed without the comments of these, and without the ends of those. */
  const without = ({ comments, ends }: { comments: number[]; ends: number[] }): BitbucketClient =>
    feedChanged((json) => {
      json.values = (json.values as Entry[]).filter(({ pull_request: { id }, comment, update }) => {
        const isEnd = update?.state === 'MERGED' || update?.state === 'DECLINED';
        return !(comment !== undefined && comments.includes(id)) && !(isEnd && ends.includes(id));
      });
    });
  const numbers = async (condition: ReturnType<typeof sql>): Promise<number[]> =>
    (
      await situation.rows(sql`select number from pull_requests where ${condition} order by number limit 3`)
    ).map(({ number }) => Number(number));

  test.each([1, 1_000])(
    'asks those alone, and the report says how many (%i requests a chunk)',
    async (requests) => {
      await situation.importAll(await start(), { limits });
      const comments = await numbers(sql`comment_count > 0`);
      const ends = (await numbers(sql`state in ('MERGED', 'DECLINED')`)).slice(0, 2);
      await situation.rows(sql`delete from pull_request_activity`);
      await situation.rows(sql`delete from pull_request_comments`);
      const earlier = asked().length;
      const input = await start('full');
      await situation.importAll(input, { bitbucket: without({ comments, ends }), limits: { requests } });
      const own = asked().slice(earlier);
      expect(ownOf(own)).toEqual(ends.map((number) => `pullrequests/${String(number)}/activity`));
      // The own activity of one shows its comments too.
      const left = comments.filter((number) => !ends.includes(number));
      expect(own.filter((path) => path.endsWith('/comments'))).toEqual(
        left.map((number) => `pullrequests/${String(number)}/comments`),
      );
      expect(await notesOf(input, 'pull_request_activity')).toMatchObject({
        method: 'feed',
        notes: { feed_contradicts_pull_requests: { count: 2 } },
      });
      expect(await notesOf(input, 'pull_request_comments')).toMatchObject({
        notes: { feed_contradicts_comment_count: { count: left.length } },
      });
      await expectExact(input);

      // One that changed is asked for its comments too, which contradicts nothing.
      const [edited] =
        await situation.rows(sql`select pull_request_number as number, comment_id::float8 as comment
      from pull_request_comments where not deleted order by comment_id limit 1`);
      situation.simulator.clock.advance(60 * 60_000);
      await mutate('comment.edit', { ...edited, raw: 'Said better' });
      situation.simulator.clock.advance(60 * 60_000);
      const laterOn = asked().length;
      const next = await start();
      await situation.importAll(next, { limits });
      expect(await reported(next)).toEqual({ method: 'feed', notes: [] });
      expect(
        asked()
          .slice(laterOn)
          .filter((path) => path.endsWith('/comments')),
      ).toContain(`pullrequests/${String(edited?.['number'])}/comments`);
      expect((await notesOf(next, 'pull_request_comments')).notes).toEqual({});
    },
  );
});

describe('a feed that Bitbucket refuses to go on with', () => {
  /** Refuses the request for this page of the feed, once. */
  function refusing(page: number): BitbucketClient {
    let pages = 0;
    return {
      get: async (request) => {
        const isFeed = (request.path ?? request.next ?? '').includes(FEED);
        if (isFeed && (pages += 1) === page) {
          throw new BadRequest({ finding: { code: 'x', message: 'Invalid page', remedy: 'x' } });
        }
        return situation.bitbucket.get(request);
      },
    };
  }
  const pagesOfFeed = async (): Promise<number> => {
    const input = await start('full');
    await situation.importAll(input, { limits });
    const pages = asked().filter((path) => path === 'pullrequests/activity').length;
    await situation.rows(sql`delete from pull_request_activity`);
    await situation.rows(sql`delete from pull_request_comments`);
    return pages;
  };

  test('near its top begins again', async () => {
    const pages = await pagesOfFeed();
    const input = await start('full');
    await situation.importAll(input, { bitbucket: refusing(2), limits });
    expect(asked().filter((path) => path === 'pullrequests/activity')).toHaveLength(pages + pages + 1);
    expect(ownOf(asked())).toEqual([]);
    await expectExact(input);
  });

  test('near its end asks the few pull requests that are left', async () => {
    const pages = await pagesOfFeed();
    const input = await start('full');
    await situation.importAll(input, { bitbucket: refusing(pages), limits });
    const own = ownOf(asked());
    expect(own.length).toBeGreaterThan(0);
    expect(own.length).toBeLessThan(pages);
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_refused'] });
    await expectExact(input);
  });
});

test('a pull request that the feed names and the list did not is fetched in the same import', async () => {
  const truth = await fetch(`${situation.simulator.url}/_simulator/state`);
  const records = (await truth.text()).split('\n').filter((line) => line.includes('"kind":"branch"'));
  const [row] = await situation.rows(sql`select provider_uuid from repositories`);
  const branch = records
    .map((line) => JSON.parse(line) as Record<string, string>)
    .find((line) => line['repository'] === row?.['provider_uuid'] && line['name'] !== 'main');
  let made = false;
  const bitbucket: BitbucketClient = {
    get: async (request) => {
      if (!made && (request.path ?? '').includes(FEED)) {
        made = true;
        await mutate('pull_request.create', { title: 'Between', source: branch?.['name'] });
      }
      return situation.bitbucket.get(request);
    },
  };
  const input = await start();
  expect(await situation.importAll(input, { bitbucket, limits })).toHaveLength(1);
  expect(await situation.differences()).toBe('');
});

describe('a look at late votes', () => {
  const looks = (): string[] =>
    situation.simulator.journal
      .since(0)
      .slice(before)
      .map(({ path }) => path)
      .filter((path) => /q=id%3D|q=id=/.test(path));
  /** All of it was read before the votes of the test. */
  const readLongAgo = () =>
    situation.rows(sql`update pull_requests set observed_at = observed_at - interval '30 minutes'`);
  const votesAge = () =>
    situation.rows(sql`update pull_request_activity set at = now() - interval '10 minutes'
      where at > now() - interval '1 minute'`);

  test('ends where the vote was taken back meanwhile', async () => {
    await situation.importAll(await start());
    await readLongAgo();
    await mutate('pull_request.approve', { number: 3 });
    let isGiven = true;
    const bitbucket: BitbucketClient = {
      get: async (request) => {
        const answer = await situation.bitbucket.get(request);
        if (isGiven && (request.path ?? '').includes(FEED)) {
          isGiven = false;
          await mutate('pull_request.unapprove', { number: 3 });
        }
        return answer;
      },
    };
    await situation.importAll(await start(), { bitbucket });
    expect(looks()).toHaveLength(1);
    await votesAge();
    await situation.importAll(await start());
    expect(looks()).toHaveLength(1);
  });

  test('is not needed where the two times of one vote differ by microseconds (as recorded)', async () => {
    await mutate('pull_request.approve', { number: 3 });
    await situation.importAll(await start());
    await situation.rows(
      sql`update pull_request_participants set participated_on = participated_on - interval '53 microseconds'`,
    );
    await situation.importAll(await start());
    await mutate('pull_request.unapprove', { number: 3 });
    expect(looks()).toEqual([]);
  });

  test('that brings a pull request which cannot be read keeps it as one, and asks no more', async () => {
    await situation.importAll(await start());
    await readLongAgo();
    await mutate('pull_request.approve', { number: 3 });
    const bent: BitbucketClient = {
      get: async (request) => {
        const answer = await situation.bitbucket.get(request);
        if (!decodeURIComponent(request.path ?? '').includes('q=id=')) return answer;
        const json = { ...(answer.json as object), values: [{ id: 3 }] };
        return { ...answer, json, bytes: Buffer.from(JSON.stringify(json)) };
      },
    };
    await situation.importAll(await start(), { bitbucket: bent });
    expect(await situation.rows(sql`select stream, record_key from quarantine`)).toEqual([
      { stream: 'pull_requests', record_key: '3' },
    ]);
    await mutate('pull_request.unapprove', { number: 3 });
    await votesAge();
    await situation.importAll(await start(), { bitbucket: bent });
    expect(looks()).toHaveLength(1);

    await situation.rows(sql`delete from pull_request_activity`);
    await situation.importAll(await start('full'));
    expect(await situation.rows(sql`select 1 from quarantine`)).toEqual([]);
    expect(await situation.differences()).toBe('');
  });
});
