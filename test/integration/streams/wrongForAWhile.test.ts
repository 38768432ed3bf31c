import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { InvalidResponse, NotFound } from '../../../activities/bitbucket/errors.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

/**
 * The own list of a pull request or ticket that contradicts itself, or another list, for a while: an import fails over it
 * only as long as it does. Whoever tries again, the same import or the next one, goes on.
 */
const finding = { code: 'x', message: 'x', remedy: 'x' };
const TICKET_COMMENTS = /\/issues\/\d+\/comments/;
const PULL_REQUEST_COMMENTS = /\/pullrequests\/\d+\/comments/;

let situation: Situation;
let repositoryId: string;
beforeAll(async () => {
  situation = await createSituation();
});
afterAll(() => situation.close());
beforeEach(async () => {
  await situation.rows(sql`delete from repositories`);
  repositoryId = await situation.repository('acme-rockets/telemetry');
});

const pathOf = ({ path, next }: Parameters<BitbucketClient['get']>[0]): string =>
  decodeURIComponent(path ?? next ?? '');

/** The real answers, but for a feed without comments that count, so that each pull request is asked for its own. */
const withoutFeed: BitbucketClient = {
  get: async (request) => {
    const answer = await situation.bitbucket.get(request);
    if (!/\/pullrequests\/activity/.test(pathOf(request))) return answer;
    const { values, ...rest } = answer.json as { values: { comment?: { deleted?: boolean } }[] };
    const left = values.filter(({ comment }) => comment === undefined || comment.deleted === true);
    return { ...answer, json: { ...rest, values: left } };
  },
};

const AGAIN: Record<string, (first: ImportInput) => Promise<ImportInput>> = {
  'the same import': async (first) => first,
  'the next one': () => situation.startImport(repositoryId),
  'a full one': () => situation.startImport(repositoryId, 'full'),
};

test.each([
  ['pull requests', PULL_REQUEST_COMMENTS, 'the same import'],
  ['pull requests', PULL_REQUEST_COMMENTS, 'the next one'],
  ['tickets', TICKET_COMMENTS, 'the same import'],
  ['tickets', TICKET_COMMENTS, 'the next one'],
  ['tickets', TICKET_COMMENTS, 'a full one'],
] as const)(
  'comments of %s (%s) that were "not found" until no attempt was left: %s goes on',
  async (_, list, again) => {
    const away: BitbucketClient = {
      get: async (request) => {
        const path = pathOf(request);
        if (list.test(path)) throw new NotFound({ finding, path });
        return withoutFeed.get(request);
      },
    };
    const first = await situation.startImport(repositoryId);
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const walk = situation.importAll(first, { bitbucket: away });
      await expect(walk).rejects.toThrow('3 times in a row');
    }
    await situation.importAll(await AGAIN[again]!(first), { bitbucket: withoutFeed });
    expect(await situation.differences()).toBe('');
  },
);

/** Pages of two records, so that few of them have several; of the very first page `bend` makes another one. */
function inSmallPages(bend: (values: unknown[]) => unknown[]) {
  let bent = 0;
  const bitbucket: BitbucketClient = {
    get: async (request) => {
      if (!PULL_REQUEST_COMMENTS.test(pathOf(request))) return withoutFeed.get(request);
      const smaller = request.path?.replace('pagelen=100', 'pagelen=2');
      const answer = await situation.bitbucket.get(
        smaller === undefined ? request : { ...request, path: smaller },
      );
      const json = answer.json as { values: unknown[]; next?: string };
      if (bent > 0 || json.next === undefined) return answer;
      bent += 1;
      return { ...answer, json: { ...json, values: bend(json.values) } };
    },
  };
  return { bitbucket, timesBent: () => bent };
}

test.each(['the same import', 'the next one'])(
  'a page of several that once left records out is asked for again, with those behind it (%s)',
  async (again) => {
    const { bitbucket, timesBent } = inSmallPages((values) => values.slice(1));
    const first = await situation.startImport(repositoryId);
    await expect(situation.importAll(first, { bitbucket })).rejects.toBeInstanceOf(InvalidResponse);
    expect(timesBent()).toBe(1);
    await situation.importAll(await AGAIN[again]!(first), { bitbucket });
    expect(await situation.differences()).toBe('');
  },
);

test('a list that stays too short ends the import after a few attempts, however many pages of it are read between', async () => {
  let requests = 0;
  const { bitbucket } = inSmallPages((values) => values);
  const short: BitbucketClient = {
    get: async (request) => {
      requests += 1;
      const answer = await bitbucket.get(request);
      const isOwn = PULL_REQUEST_COMMENTS.test(pathOf(request));
      const json = answer.json as { values: unknown[]; next?: string };
      return isOwn && json.next !== undefined
        ? { ...answer, json: { ...json, values: json.values.slice(1) } }
        : answer;
    },
  };
  const input = await situation.startImport(repositoryId);
  // One chunk is one attempt: it does not end well because it had read a page before.
  await expect(situation.chunk(input, { bitbucket: short })).rejects.toBeInstanceOf(InvalidResponse);
  const first = requests;
  await expect(situation.chunk(input, { bitbucket: short })).rejects.toBeInstanceOf(InvalidResponse);
  expect(requests - first).toBeLessThan(first);
});
