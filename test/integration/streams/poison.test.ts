import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { unescapeText } from '../../../db/text.ts';
import type { ImportMode, Stream } from '../../../workflows/words.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { isSoak } from '../../support/seeds.ts';
import { API_STREAMS, createSituation, type ImportInput, type Situation } from './situation.ts';

/** Reliability rows F33 and F34: one record among many that is not as it should be. */

const REPOSITORY = 'acme/records';
/** Two pages; the record that is bent stands in the middle of one. */
const PULL_REQUESTS = 60;
const world = (pullRequests: number) =>
  acmeWorld([{ slug: 'records', pullRequests, commits: 20, tickets: 12 }]);

let situation: Situation;
let repositoryId: string;
let pages: string[] = [];
beforeAll(async () => {
  situation = await createSituation({ world: world(PULL_REQUESTS) });
  repositoryId = await situation.repository(REPOSITORY);
});
afterAll(() => situation.close());
afterEach(async () => {
  situation.simulator.faults.clear();
  await beginAnew();
});

/** Nothing is imported. */
async function beginAnew(): Promise<void> {
  pages = [];
  for (const table of ['quarantine', 'streams', 'pull_requests', 'pull_request_activity', 'tickets']) {
    await situation.rows(sql`delete from ${sql.identifier(table)}`);
  }
  await situation.rows(sql`delete from pull_request_comments`);
}

interface Bend {
  path: string;
  record: string;
  find: string;
  replace: string;
}

const poison = (bends: Bend[]): void =>
  situation.simulator.faults.set({
    seed: 1,
    rules: bends.map(({ path, ...bend }) => ({ match: { path }, fault: { kind: 'poison', ...bend } })),
  });

/** The client itself, with the pages as they came. */
const watched: BitbucketClient = {
  get: async (request) => {
    const answer = await situation.bitbucket.get(request);
    pages.push(Buffer.from(answer.bytes).toString('utf8'));
    return answer;
  },
};

async function importStreams(streams: Stream[], mode: ImportMode = 'full'): Promise<ImportInput> {
  const input = { ...(await situation.startImport(repositoryId, mode)), streams };
  await situation.importAll(input, { bitbucket: watched });
  return input;
}

const kept = async () =>
  (await situation.rows(sql`select record_key, stream, convert_from(raw, 'utf8') as raw, reason, attempts,
      request_path, page_index, parent_number from quarantine order by stream, record_key`)) as {
    record_key: string;
    stream: string;
    raw: string;
    reason: string;
    attempts: number;
    request_path: string;
    page_index: number;
    parent_number: number | null;
  }[];

/** A record's bytes, with what stands before and behind it in a page. */
const cameLike = (raw: string): boolean =>
  pages.some((page) =>
    ['[', ','].some((before) => [']', ','].some((behind) => page.includes(before + raw + behind))),
  );

const list = { path: '/pullrequests\\?', record: '"type":"pullrequest","id":7,' };
const title = '"title":"(?:[^"\\\\]|\\\\.)*"';
const created = '"created_on":"[^"]*"';

describe('a pull request that can be stored, however odd', () => {
  const storedTitle = async (): Promise<string> => {
    const [row] = await situation.rows(sql`select title from pull_requests where number = 7`);
    return unescapeText(String(row?.['title']));
  };

  test.each([
    ['a NUL', title, '"title":"a\\u0000b"', 'a\u0000b'],
    ['half a surrogate pair', title, '"title":"a\\ud83db"', 'a\ud83db'],
    ['5 MB of text', title, `"title":"${'x'.repeat(5_000_000)}"`, 'x'.repeat(5_000_000)],
    ['a key __proto__', title, '"title":"own","__proto__":{"polluted":true}', 'own'],
    ['a key twice: the last counts', title, '"title":"first","title":"last"', 'last'],
    ['a new word for a state', '"state":"[A-Z]*"', '"state":"ON_HOLD"', undefined],
    ['an optional field less', '"draft":(?:true|false),', '', undefined],
    ['an optional field of another type', '"draft":(?:true|false)', '"draft":"maybe"', undefined],
    ['a new field', '"draft":', '"priority":{"level":9},"draft":', undefined],
    ['a large number somewhere', '"draft":', '"score":12345678901234567890,"draft":', undefined],
  ])('%s is stored, not quarantined', async (_, find, replace, wanted) => {
    poison([{ ...list, find, replace }]);
    const input = await importStreams(['pull_requests']);
    expect(await kept()).toEqual([]);
    expect(await situation.streamStates(input)).toMatchObject([
      { state: 'healthy', stored: PULL_REQUESTS, expected: PULL_REQUESTS, quarantined: 0 },
    ]);
    if (wanted !== undefined) expect((await storedTitle()) === wanted).toBe(true);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });
});

describe('a pull request that cannot be stored', () => {
  const deep = `${'['.repeat(10_000)}1${']'.repeat(10_000)}`;

  test.each([
    ['the year 0', created, '"created_on":"0000-01-01T00:00:00+00:00"', '7', /created_on/],
    ['a date no calendar has', created, '"created_on":"2026-02-30T00:00:00+00:00"', '7', /created_on/],
    ['an id beyond 2^53', '"id":7,', '"id":9007199254740993,', /^sha256:[0-9a-f]{64}$/, /^id/],
    ['nesting 10,000 levels deep', '"draft":', `"deep":${deep},"draft":`, '7', /deeper than 200/],
    ['a required field less', `${title},`, '', '7', /title/],
    ['a required field of another type', title, '"title":{"raw":"x"}', '7', /title/],
    ['a number that is a word', '"id":7,', '"id":"seven",', /^sha256:/, /^id/],
  ])(
    '%s: it alone is kept, with its bytes as they came, place and reason',
    async (_, find, replace, key, reason) => {
      poison([{ ...list, find, replace }]);
      const input = await importStreams(['pull_requests']);
      const [record, ...others] = await kept();
      expect(others).toEqual([]);
      expect(record?.record_key).toMatch(key);
      expect(record?.reason).toMatch(reason);
      expect(record?.raw.includes(replace)).toBe(true);
      expect(cameLike(record?.raw ?? '')).toBe(true);
      expect(record?.request_path).toMatch(/^\/repositories\/acme\/records\/pullrequests\?.*q=/);
      expect(record?.page_index).toBe(6);
      expect(await situation.streamStates(input)).toMatchObject([
        { state: 'healthy', stored: PULL_REQUESTS - 1, expected: PULL_REQUESTS, quarantined: 1 },
      ]);
    },
  );

  test('at the end of a page, with an id that cannot be read: counted once, the list goes on', async () => {
    poison([{ ...list, record: '"type":"pullrequest","id":50,', find: '"id":50,', replace: '"id":1e400,' }]);
    const input = await importStreams(['pull_requests']);
    expect(await kept()).toHaveLength(1);
    expect(await situation.streamStates(input)).toMatchObject([
      { stored: PULL_REQUESTS - 1, expected: PULL_REQUESTS, quarantined: 1 },
    ]);
  });

  test('is not asked for without end: another attempt an import, and it leaves when it is mended', async () => {
    poison([{ ...list, find: `${title},`, replace: '' }]);
    await importStreams(['pull_requests']);
    const requests = pages.length;
    await importStreams(['pull_requests']);
    expect(pages.length).toBe(2 * requests);
    expect(await kept()).toMatchObject([{ record_key: '7', attempts: 2 }]);
    situation.simulator.faults.clear();
    await importStreams(['pull_requests']);
    expect(await kept()).toEqual([]);
  });
});

describe('records of the other streams', () => {
  const streams = API_STREAMS;

  async function expectAddedUp(input: ImportInput): Promise<void> {
    for (const state of await situation.streamStates(input)) {
      const { stream, expected, stored, quarantined } = state as Record<string, number>;
      const [row] = await situation.rows(sql`select gone::int as gone from import_streams
        where import_id = ${input.importId} and stream = ${stream}`);
      expect([stream, expected]).toEqual([stream, stored! + quarantined! + Number(row?.['gone'])]);
    }
  }

  test('a comment of a pull request and one of a ticket: each is kept with its bytes, and stored when it is mended', async () => {
    await importStreams(streams);
    const [ofPullRequest] =
      await situation.rows(sql`select comment_id::text as id, pull_request_number as parent
      from pull_request_comments order by comment_id limit 1`);
    const [ofTicket] = await situation.rows(sql`select comment_id::text as id, ticket_number as parent
      from ticket_comments order by comment_id limit 1`);
    await beginAnew();
    const bend = (path: string, id: unknown) => ({
      path,
      record: `"id":${String(id)},`,
      find: `(?<="id":${String(id)},.*)"created_on":"[^"]*"`,
      replace: '"created_on":"0000-01-01T00:00:00+00:00"',
    });
    poison([
      bend('/pullrequests/activity', ofPullRequest?.['id']),
      bend(`/pullrequests/${String(ofPullRequest?.['parent'])}/comments`, ofPullRequest?.['id']),
      bend(`/issues/${String(ofTicket?.['parent'])}/comments`, ofTicket?.['id']),
    ]);
    const input = await importStreams(streams);
    const records = (await kept()).filter(({ stream }) => stream.endsWith('_comments'));
    expect(records).toMatchObject([
      {
        stream: 'pull_request_comments',
        record_key: `${String(ofPullRequest?.['parent'])}/${String(ofPullRequest?.['id'])}`,
        parent_number: ofPullRequest?.['parent'],
        reason: expect.stringContaining('created_on'),
      },
      {
        stream: 'ticket_comments',
        record_key: `${String(ofTicket?.['parent'])}/${String(ofTicket?.['id'])}`,
        parent_number: ofTicket?.['parent'],
        reason: expect.stringContaining('created_on'),
      },
    ]);
    for (const { raw } of records) expect(cameLike(raw)).toBe(true);
    for (const state of await situation.streamStates(input)) {
      if (String(state['stream']).endsWith('_comments')) {
        expect(state).toMatchObject({ state: 'healthy', quarantined: 1 });
      }
    }
    await expectAddedUp(input);
    situation.simulator.faults.clear();
    await importStreams(streams);
    expect(await kept()).toEqual([]);
    expect(await situation.differences()).toBe('');
  });

  test('dates that are in another year in UTC than they say, before the first and behind the last', async () => {
    poison([
      {
        path: '/pullrequests/activity',
        record: '"approval":',
        find: '"date":"[^"]*"',
        replace: '"date":"0001-01-01T00:00:00+01:00"',
      },
      { ...list, find: '"updated_on":"[^"]*"', replace: '"updated_on":"9999-12-31T23:59:59-05:00"' },
    ]);
    for (const mode of ['full', 'changed', 'changed'] as const) {
      const input = await importStreams(streams, mode);
      for (const state of await situation.streamStates(input)) {
        expect(state).toMatchObject({ state: 'healthy', quarantined: 0 });
      }
    }
  });

  test('an activity entry, a change and a ticket that cannot be stored: each is kept, and everything adds up', async () => {
    poison([
      {
        path: '/pullrequests/activity',
        record: '"approval":',
        find: '"date":"[^"]*"',
        replace: '"date":"0000-00-00"',
      },
      { path: '/issues\\?', record: '"type":"issue","id":5,', find: '"title":"[^"]*",', replace: '' },
      { path: '/issues/9/changes', record: '.', find: '"changes":', replace: '"changed":' },
    ]);
    const input = await importStreams(streams);
    const records = await kept();
    expect(new Set(records.map(({ raw }) => cameLike(raw)))).toEqual(new Set([true]));
    const perStream = (stream: string) =>
      situation.rows(sql`select record_key, parent_number from quarantine where stream = ${stream}`);
    expect((await perStream('pull_request_activity'))[0]?.['parent_number']).toBeGreaterThan(0);
    expect(await perStream('tickets')).toMatchObject([{ record_key: '5' }]);
    expect(await perStream('ticket_changes')).toMatchObject([
      { record_key: expect.stringMatching(/^9\/\d+$/), parent_number: 9 },
    ]);
    await expectAddedUp(input);
    situation.simulator.faults.clear();
    await importStreams(streams);
    // The entry of a vote has no key of its own, so nothing says that the bytes that are kept are the same entry's, mended.
    expect((await kept()).filter(({ stream }) => stream !== 'pull_request_activity')).toEqual([]);
    expect(await situation.differences()).toBe('');
  });
});

test('a branch whose name is too long for an index is kept under a hash of it', async () => {
  const name = randomBytes(4_000).toString('hex');
  poison([
    { path: '/refs/branches', record: '"name":"main"', find: '"name":"main"', replace: `"name":"${name}"` },
  ]);
  await importStreams(['refs']);
  await importStreams(['refs']);
  expect(await kept()).toMatchObject([
    {
      record_key: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      reason: expect.stringContaining('Postgres refuses it'),
      attempts: 2,
    },
  ]);
});

/** Row F33 is about 10,000, which a soak run takes; 1,500 take more than one chunk. */
const MANY = isSoak() ? 10_000 : 1_500;

test('of very many pull requests one is poison: all others are stored, and one is kept', async () => {
  const large = await createSituation({ world: world(MANY) });
  try {
    const id = await large.repository(REPOSITORY);
    large.simulator.faults.set({
      seed: 1,
      rules: [
        {
          match: { path: '/pullrequests\\?' },
          fault: {
            kind: 'poison',
            record: '"type":"pullrequest","id":1000,',
            find: created,
            replace: '"created_on":"0000-01-01T00:00:00+00:00"',
          },
        },
      ],
    });
    const streams: Stream[] = ['pull_requests'];
    const input = { ...(await large.startImport(id)), streams };
    await large.importAll(input);
    expect(await large.streamStates(input)).toMatchObject([
      { state: 'healthy', stored: MANY - 1, expected: MANY, quarantined: 1 },
    ]);
    expect(await large.rows(sql`select record_key, page_index, attempts from quarantine`)).toMatchObject([
      { record_key: '1000', page_index: 49, attempts: 1 },
    ]);
    const [count] = await large.rows(sql`select count(*)::int as n from pull_requests`);
    expect(count).toEqual({ n: MANY - 1 });
  } finally {
    await large.close();
  }
}, 600_000);
