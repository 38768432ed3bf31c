import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { FEED, useFeedSituation } from './feedSituation.ts';

const bench = useFeedSituation();
const { start, mutate, paths } = bench;

describe('a look at late votes', () => {
  const looks = (): string[] => paths().filter((path) => /q=id%3D|q=id=/.test(path));
  /** All of it was read before the votes of the test. */
  const readLongAgo = () =>
    bench.situation.rows(sql`update pull_requests set observed_at = observed_at - interval '30 minutes'`);
  const votesAge = () =>
    bench.situation.rows(sql`update pull_request_activity set at = now() - interval '10 minutes'
      where at > now() - interval '1 minute'`);

  /** The look shows other records than the host has. */
  const lookShows = (change: (values: unknown[]) => unknown[]): BitbucketClient => ({
    get: async (request) => {
      const answer = await bench.situation.bitbucket.get(request);
      if (!decodeURIComponent(request.path ?? '').includes('q=id=')) return answer;
      const { values, ...page } = answer.json as { values: unknown[] };
      const json = { ...page, values: change(values) };
      return { ...answer, json, bytes: Buffer.from(JSON.stringify(json)) };
    },
  });

  test('ends where the vote was taken back meanwhile', async () => {
    await bench.situation.importAll(await start());
    await readLongAgo();
    await mutate('pull_request.approve', { number: 3 });
    let isGiven = true;
    const bitbucket: BitbucketClient = {
      get: async (request) => {
        const answer = await bench.situation.bitbucket.get(request);
        if (isGiven && (request.path ?? '').includes(FEED)) {
          isGiven = false;
          await mutate('pull_request.unapprove', { number: 3 });
        }
        return answer;
      },
    };
    await bench.situation.importAll(await start(), { bitbucket });
    expect(looks()).toHaveLength(1);
    await votesAge();
    await bench.situation.importAll(await start());
    expect(looks()).toHaveLength(1);
  });

  test('is not needed where the two times of one vote differ by microseconds (as recorded)', async () => {
    await mutate('pull_request.approve', { number: 3 });
    await bench.situation.importAll(await start());
    await bench.situation.rows(
      sql`update pull_request_participants set participated_on = participated_on - interval '53 microseconds'`,
    );
    await bench.situation.importAll(await start());
    await mutate('pull_request.unapprove', { number: 3 });
    expect(looks()).toEqual([]);
  });

  test('that brings a pull request twice stores it once', async () => {
    await bench.situation.importAll(await start());
    await readLongAgo();
    await mutate('pull_request.approve', { number: 3 });
    const twice = lookShows((values) => [...values, ...values]);
    await bench.situation.importAll(await start(), { bitbucket: twice });
    expect(looks()).toHaveLength(1);
    expect(await bench.situation.differences()).toBe('');
    await mutate('pull_request.unapprove', { number: 3 });
  });

  test('that brings a pull request which cannot be read keeps it as one, and asks no more', async () => {
    await bench.situation.importAll(await start());
    await readLongAgo();
    await mutate('pull_request.approve', { number: 3 });
    const bent = lookShows(() => [{ id: 3 }]);
    await bench.situation.importAll(await start(), { bitbucket: bent });
    expect(await bench.situation.rows(sql`select stream, record_key from quarantine`)).toEqual([
      { stream: 'pull_requests', record_key: '3' },
    ]);
    await mutate('pull_request.unapprove', { number: 3 });
    await votesAge();
    await bench.situation.importAll(await start(), { bitbucket: bent });
    expect(looks()).toHaveLength(1);

    await bench.situation.rows(sql`delete from pull_request_activity`);
    await bench.situation.importAll(await start('full'));
    expect(await bench.situation.rows(sql`select 1 from quarantine`)).toEqual([]);
    expect(await bench.situation.differences()).toBe('');
  });
});
