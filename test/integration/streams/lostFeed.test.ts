import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { BadRequest } from '../../../activities/bitbucket/errors.ts';
import { FEED, limits, ownOf, useFeedSituation } from './feedSituation.ts';

const bench = useFeedSituation();
const { start, mutate, asked, reported, expectExact, feedChanged } = bench;

const fails = (status: number, more: object = {}): void =>
  bench.situation.simulator.faults.set({
    rules: [{ match: { path: FEED }, fault: { kind: 'status', status }, ...more }],
  });

test('a feed that can be had is what the report names', async () => {
  const input = await start();
  await bench.situation.importAll(input, { limits });
  expect(await reported(input)).toEqual({ method: 'feed', notes: [] });
});

describe('where the feed cannot be had, each pull request is asked for its own activity', () => {
  test.each([410, 404, 403])('%i: and the report says so', async (status) => {
    fails(status);
    const input = await start();
    await bench.situation.importAll(input, { limits });
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_unavailable'] });
    await expectExact(input);
  });

  test('the next import asks only those that changed, and takes the feed again where it is back', async () => {
    fails(410);
    await bench.situation.importAll(await start(), { limits });
    bench.situation.simulator.clock.advance(20 * 60_000);
    await mutate('comment.add', { number: 7, raw: 'Said' });
    bench.situation.simulator.clock.advance(20 * 60_000);
    const earlier = asked().length;
    await bench.situation.importAll(await start(), { limits });
    expect(ownOf(asked().slice(earlier))).toEqual(['pullrequests/7/activity']);
    expect(await bench.situation.differences()).toBe('');
    bench.situation.simulator.faults.clear();
    const last = await start();
    await bench.situation.importAll(last, { limits });
    expect(await reported(last)).toEqual({ method: 'feed', notes: [] });
  });

  test('a repository that is gone is not taken for a missing feed, nor its pull requests for missing ones', async () => {
    const input = await start();
    let gone = false;
    const bitbucket: BitbucketClient = {
      get: async (request) => {
        if (!gone && (request.path ?? '').includes(FEED)) {
          gone = true;
          await mutate('repository.delete', {});
        }
        return bench.situation.bitbucket.get(request);
      },
    };
    await expect(bench.situation.chunk(input, { bitbucket, limits })).rejects.toMatchObject({
      type: 'RepositoryGone',
    });
    expect(ownOf(asked())).toEqual([]);
    const [row] = await bench.situation.rows(sql`select s.state, r.provider_uuid from streams s
      join repositories r on r.id = s.repository_id where s.stream = 'pull_request_activity'`);
    await bench.situation.simulator.mutate({
      kind: 'repository.restore',
      repository: row?.['provider_uuid'],
    });
    expect(row?.['state']).toBe('failed');
  });

  test('one that answers errors for half an hour is given up, if the repository is shown', async () => {
    fails(503);
    const input = await start();
    const attempt = () => bench.situation.chunk(input, { limits });
    // The list of pull requests is stored before, so the first chunk ends well in front of the feed.
    expect(await attempt()).toMatchObject({ done: false, stream: 'pull_request_activity' });
    await expect(attempt()).rejects.toMatchObject({ type: 'Upstream' });
    expect(ownOf(asked())).toEqual([]);
    await bench.situation.rows(sql`update streams set position = jsonb_set(position, '{failingSince}',
      to_jsonb(replace(((position ->> 'failingSince')::timestamptz at time zone 'utc' - interval '31 minutes')::text,
        ' ', 'T') || 'Z')) where stream = 'pull_request_activity'`);
    await bench.situation.importAll(input, { limits });
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
    await bench.situation.importAll(input, { bitbucket, limits });
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
    await bench.situation.importAll(input, { bitbucket, limits });
    expect(ownOf(asked())).toHaveLength(60);
    await expectExact(input);
  });

  test('before it came down to what is stored: those that changed are asked', async () => {
    await bench.situation.importAll(await start(), { limits });
    bench.situation.simulator.clock.advance(20 * 60_000);
    await mutate('comment.add', { number: 7, raw: 'Said' });
    bench.situation.simulator.clock.advance(20 * 60_000);
    const earlier = asked().length;
    const bitbucket = feedChanged((json) => {
      json.values = [];
      delete json.next;
    });
    await bench.situation.importAll(await start(), { bitbucket, limits });
    expect(ownOf(asked().slice(earlier))).toEqual(['pullrequests/7/activity']);
    expect(await bench.situation.differences()).toBe('');
  });
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
        return bench.situation.bitbucket.get(request);
      },
    };
  }
  const pagesOfFeed = async (): Promise<number> => {
    const input = await start('full');
    await bench.situation.importAll(input, { limits });
    const pages = asked().filter((path) => path === 'pullrequests/activity').length;
    await bench.situation.rows(sql`delete from pull_request_activity`);
    await bench.situation.rows(sql`delete from pull_request_comments`);
    return pages;
  };

  test('near its top begins again', async () => {
    const pages = await pagesOfFeed();
    const input = await start('full');
    await bench.situation.importAll(input, { bitbucket: refusing(2), limits });
    expect(asked().filter((path) => path === 'pullrequests/activity')).toHaveLength(pages + pages + 1);
    expect(ownOf(asked())).toEqual([]);
    await expectExact(input);
  });

  test('near its end asks the few pull requests that are left', async () => {
    const pages = await pagesOfFeed();
    const input = await start('full');
    await bench.situation.importAll(input, { bitbucket: refusing(pages), limits });
    const own = ownOf(asked());
    expect(own.length).toBeGreaterThan(0);
    expect(own.length).toBeLessThan(pages);
    expect(await reported(input)).toEqual({ method: 'per_pull_request', notes: ['feed_refused'] });
    await expectExact(input);
  });
});
