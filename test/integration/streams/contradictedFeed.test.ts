import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import type { Stream } from '../../../workflows/words.ts';
import { FEED, limits, ownOf, useFeedSituation } from './feedSituation.ts';
import type { ImportInput } from './situation.ts';

const bench = useFeedSituation();
const { start, mutate, asked, reported, expectExact, feedChanged } = bench;

describe('a feed that contradicts the pull requests', () => {
  interface Entry {
    pull_request: { id: number };
    comment?: object;
    update?: { state?: string };
  }
  const notesOf = async (input: ImportInput, stream: Stream) => {
    const [row] = await bench.situation.rows(sql`select method, notes from import_streams
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
      await bench.situation.rows(
        sql`select number from pull_requests where ${condition} order by number limit 3`,
      )
    ).map(({ number }) => Number(number));

  test.each([1, 1_000])(
    'asks those alone, and the report says how many (%i requests a chunk)',
    async (requests) => {
      await bench.situation.importAll(await start(), { limits });
      const comments = await numbers(sql`comment_count > 0`);
      const ends = (await numbers(sql`state in ('MERGED', 'DECLINED')`)).slice(0, 2);
      await bench.situation.rows(sql`delete from pull_request_activity`);
      await bench.situation.rows(sql`delete from pull_request_comments`);
      const earlier = asked().length;
      const input = await start('full');
      await bench.situation.importAll(input, {
        bitbucket: without({ comments, ends }),
        limits: { requests },
      });
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
        await bench.situation.rows(sql`select pull_request_number as number, comment_id::float8 as comment
      from pull_request_comments where not deleted order by comment_id limit 1`);
      bench.situation.simulator.clock.advance(60 * 60_000);
      await mutate('comment.edit', { ...edited, raw: 'Said better' });
      bench.situation.simulator.clock.advance(60 * 60_000);
      const laterOn = asked().length;
      const next = await start();
      await bench.situation.importAll(next, { limits });
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

test('a pull request that the feed names and the list did not is fetched in the same import', async () => {
  const truth = await fetch(`${bench.situation.simulator.url}/_simulator/state`);
  const records = (await truth.text()).split('\n').filter((line) => line.includes('"kind":"branch"'));
  const [row] = await bench.situation.rows(sql`select provider_uuid from repositories`);
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
      return bench.situation.bitbucket.get(request);
    },
  };
  const input = await start();
  expect(await bench.situation.importAll(input, { bitbucket, limits })).toHaveLength(1);
  expect(await bench.situation.differences()).toBe('');
});
