import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ImportMode } from '../../../workflows/words.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

/** A record in quarantine leaves it once it is stored, whoever brought it: its own list, another's, or a look by its number. */

const IMPORTED = [
  'quarantine',
  'streams',
  'pull_requests',
  'pull_request_activity',
  'pull_request_comments',
  'wanted_pull_requests',
];

let situation: Situation;
let repositoryId: string;
let comment: { id: string; number: string };
beforeAll(async () => {
  situation = await createSituation({
    world: acmeWorld([{ slug: 'records', pullRequests: 30, commits: 20, tickets: 2 }]),
  });
  repositoryId = await situation.repository('acme/records');
  await importAll('full');
  const [row] = await situation.rows(sql`select comment_id::text as id, pull_request_number::text as number
    from pull_request_comments order by comment_id limit 1`);
  comment = row as typeof comment;
});
afterAll(() => situation.close());
beforeEach(async () => {
  situation.simulator.faults.clear();
  for (const table of IMPORTED) {
    await situation.rows(sql`delete from ${sql.identifier(table)}`);
  }
});

async function importAll(mode: ImportMode): Promise<ImportInput> {
  const input = await situation.startImport(repositoryId, mode);
  await situation.importAll(input);
  return input;
}

/** The comment comes with a date that no calendar has, where these paths show it. */
const poisonComment = (...paths: string[]): void =>
  situation.simulator.faults.set({
    seed: 1,
    rules: paths.map((path) => ({
      match: { path },
      fault: {
        kind: 'poison',
        record: `"id":${comment.id},`,
        find: `(?<="id":${comment.id},.*)"created_on":"[^"]*"`,
        replace: '"created_on":"0000-01-01T00:00:00+00:00"',
      },
    })),
  });
const feed = '/pullrequests/activity';
const ownList = () => `/pullrequests/${comment.number}/comments`;

const kept = async (): Promise<string[]> =>
  (await situation.rows(sql`select stream, record_key from quarantine order by 1, 2`)).map(
    (row) => `${String(row['stream'])} ${String(row['record_key'])}`,
  );

/** What does not add up in the import, or not with the tables and the quarantine as they are now. */
async function problems({ importId }: ImportInput): Promise<unknown[]> {
  return situation.rows(sql`
    with held as (
      select 'pull_request_activity' as stream, (select count(*) from pull_request_activity) as rows
      union all select 'pull_request_comments', (select count(*) from pull_request_comments)
    )
    select s.stream, s.records_expected, s.records_stored, s.quarantined, s.gone, held.rows from import_streams s
    left join held using (stream)
    where s.import_id = ${importId} and (
      s.records_expected is distinct from s.records_stored + s.quarantined + s.gone + s.not_permitted
      or s.records_stored <> held.rows
      or s.quarantined <> (select count(*) from quarantine q where q.stream = s.stream))`);
}

test('a comment that the feed brings mended leaves the quarantine of the comments, and its entry that of the activity', async () => {
  poisonComment(feed, ownList());
  const first = await importAll('full');
  expect(await kept()).toEqual([
    `pull_request_activity ${comment.number}/comment:${comment.id}`,
    `pull_request_comments ${comment.number}/${comment.id}`,
  ]);
  expect(await problems(first)).toEqual([]);
  situation.simulator.faults.clear();
  const second = await importAll('full');
  expect(await kept()).toEqual([]);
  expect(await problems(second)).toEqual([]);
  expect(await situation.differences()).toBe('');
});

test('an entry that its comment brings leaves the quarantine, and the import that had put it there counts it as stored', async () => {
  poisonComment(feed);
  const input = await importAll('full');
  expect(await kept()).toEqual([]);
  expect(await problems(input)).toEqual([]);
  expect(await situation.differences()).toBe('');
});

test('a comment that its own list goes on showing broken leaves the quarantine once the feed shows it whole', async () => {
  await importAll('full');
  poisonComment(ownList());
  await situation.rows(sql`insert into wanted_pull_requests (organization_id, repository_id, number, part)
    values (${situation.organizationId}, ${repositoryId}, ${comment.number}, 'comments')`);
  await importAll('changed');
  expect(await kept()).toEqual([`pull_request_comments ${comment.number}/${comment.id}`]);
  const input = await importAll('full');
  expect(await kept()).toEqual([]);
  expect(await problems(input)).toEqual([]);
});

test('a pull request that is asked for by its number leaves the quarantine that the list put it into a page before', async () => {
  await importAll('full');
  await situation.rows(sql`insert into wanted_pull_requests (organization_id, repository_id, number, part)
    values (${situation.organizationId}, ${repositoryId}, 7, 'record')`);
  situation.simulator.faults.set({
    seed: 1,
    rules: [
      {
        match: { path: '/pullrequests\\?' },
        count: 1,
        fault: {
          kind: 'poison',
          record: '"type":"pullrequest","id":7,',
          find: '"title":"[^"]*",',
          replace: '',
        },
      },
    ],
  });
  const input = {
    ...(await situation.startImport(repositoryId, 'full')),
    streams: ['pull_requests' as const],
  };
  await situation.importAll(input);
  const asked = await situation.rows(sql`select from wanted_pull_requests`);
  expect(asked).toEqual([]);
  expect(await kept()).toEqual([]);
  expect(await situation.streamStates(input)).toMatchObject([
    { state: 'healthy', stored: 30, expected: 30, quarantined: 0 },
  ]);
});
