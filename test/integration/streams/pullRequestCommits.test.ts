import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Stream } from '../../../workflows/words.ts';
import { createSituation, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/flight-control';
const STREAMS: Stream[] = ['pull_requests'];

type Line = Record<string, string | number | string[] | null>;

let situation: Situation;
let repositoryId: string;
let truth: Line[];
/** merge commits that are not there at first, as when they came behind the fetch */
let late: Line[];
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
  repositoryId = await situation.repository(REPOSITORY);
  const [row] = await situation.rows(sql`select provider_uuid from repositories where id = ${repositoryId}`);
  const uuid = encodeURIComponent(String(row?.['provider_uuid']));
  const answer = await fetch(`${situation.simulator.url}/_simulator/state?repository=${uuid}`);
  truth = (await answer.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
  const merges = ofKind('pull_request').flatMap((line) => line['merge_commit'] ?? []);
  const commits = ofKind('commit');
  const isMerge = (line: Line) => merges.some((hash) => String(line['hash']).startsWith(String(hash)));
  late = commits.filter(isMerge).slice(0, 3);
  await storeCommits(commits.filter((line) => !late.includes(line)));
});
afterAll(() => situation.close());

const ofKind = (kind: string): Line[] => truth.filter((line) => line['kind'] === kind);

/** As git's own import leaves them, as far as links are concerned. */
async function storeCommits(lines: Line[]): Promise<void> {
  const rows = JSON.stringify(lines.map(({ hash, parents }) => ({ hash, parents })));
  await situation.rows(sql`insert into commits (organization_id, repository_id, hash, parent_hashes, author_name,
      author_email, author_zone, committer_name, committer_email, committer_zone, message)
    select ${situation.organizationId}::uuid, ${repositoryId}::uuid, hash,
      array(select jsonb_array_elements_text(parents)), '', '', '', '', '', '', ''
    from jsonb_to_recordset(${rows}::jsonb) as r(hash text, parents jsonb)`);
}

async function imported(mode: 'changed' | 'full' = 'changed'): Promise<void> {
  const input = await situation.startImport(repositoryId, mode);
  await situation.importAll({ ...input, streams: STREAMS });
}

const links = async (): Promise<string[]> =>
  (
    await situation.rows(sql`select concat_ws(' ', pull_request_number, commit_hash, source) as link
      from pull_request_commits`)
  )
    .map((row) => String(row['link']))
    .toSorted();
const truthLinks = (): string[] =>
  ofKind('pull_request_commit')
    .map((line) => `${String(line['pull_request'])} ${String(line['commit'])} ${String(line['source'])}`)
    .toSorted();
const sources = async () => {
  const rows = await situation.rows(sql`select coalesce(commits_source, 'none') as source, count(*)::int as n
    from pull_requests where state = 'MERGED' group by 1`);
  return Object.fromEntries(rows.map((row) => [String(row['source']), Number(row['n'])]));
};
const versions = () =>
  situation.rows(sql`select ctid::text as place, xmin::text as writer from pull_request_commits
    union all select ctid::text, xmin::text from pull_requests order by 1`);

test('merged pull requests are linked with what the history tells, where the merge commit is stored', async () => {
  await imported();
  const lateNumbers = ofKind('pull_request')
    .filter((line) => late.some(({ hash }) => String(hash).startsWith(String(line['merge_commit']))))
    .map((line) => String(line['number']));
  expect(await links()).toEqual(
    truthLinks().filter((link) => !lateNumbers.includes(link.split(' ')[0] ?? '')),
  );
  expect(await sources()).toMatchObject({ none: 3 });
});

test('a merge commit that comes later is linked then; nothing else is written', async () => {
  await storeCommits(late);
  await imported();
  expect(await links()).toEqual(truthLinks());
  const found = await sources();
  expect(found['none']).toBeUndefined();
  expect(found['merge_commit']).toBeGreaterThan(10);
  expect(found['squash']).toBeGreaterThan(0);
  const before = await versions();
  await imported();
  await imported('full');
  expect(await versions()).toEqual(before);
});

test('a full import mends links that are wrong', async () => {
  const [row] = await situation.rows(
    sql`select pull_request_number as number from pull_request_commits limit 1`,
  );
  await situation.rows(sql`delete from pull_request_commits where pull_request_number = ${row?.['number']}`);
  await situation.rows(sql`update pull_request_commits set commit_hash = repeat('f', 40)
    where (pull_request_number, commit_hash) in (select pull_request_number, commit_hash from pull_request_commits limit 1)`);
  await imported();
  expect(await links()).not.toEqual(truthLinks());
  await imported('full');
  expect(await links()).toEqual(truthLinks());
});

test("a fast-forward to a merge of the destination into the source is not linked with the destination's commits", async () => {
  const [row] = await situation.rows(sql`
    update pull_requests p set source_hash = merge_hash, commits_source = null
    where number = (select min(number) from pull_requests where commits_source = 'merge_commit')
    returning number`);
  await imported();
  const [after] = await situation.rows(sql`select commits_source as source, (
      select count(*)::int from pull_request_commits where pull_request_number = number) as links
    from pull_requests where number = ${row?.['number']}`);
  expect(after).toEqual({ source: 'unknown', links: 0 });
  // As the migration to this rule leaves what was linked before it.
  await situation.rows(sql`update pull_requests set source_hash = 'f00000000000', commits_source = null
    where number = ${row?.['number']}`);
  await imported();
  expect(await links()).toEqual(truthLinks());
});

test('commits that are listed without pull requests, as after a push, link those that waited for them', async () => {
  const input = { ...(await situation.startImport(repositoryId)), streams: ['refs', 'commits'] as Stream[] };
  await situation.rows(sql`delete from commits where hash = ${late[0]?.['hash']}`);
  await situation.rows(sql`delete from pull_request_commits`);
  await situation.rows(sql`update pull_requests set commits_source = null`);
  await situation.importAll(input);
  expect(await links()).toEqual(truthLinks());
});

const switchServices = (services: string) =>
  situation.rows(sql`update integrations set services = ${services}::text[]`);

test('a history that is read in part links only what the rest of it will not change, and the rest when it is there', async () => {
  await situation.rows(sql`delete from commits`);
  await situation.rows(sql`delete from streams where stream in ('refs', 'commits')`);
  await situation.rows(sql`delete from pull_request_commits`);
  await situation.rows(sql`update pull_requests set commits_source = null`);
  const input = await situation.startImport(repositoryId);
  const streams: Stream[] = ['refs', 'commits', 'pull_requests'];
  // Branches, tags and a page of commits.
  await situation.chunk({ ...input, streams }, { limits: { requests: 3 } });
  await switchServices('{pull_requests,tickets}');
  await situation.importAll({ ...input, streams });
  const early = await links();
  expect(early.length).toBeGreaterThan(0);
  expect(truthLinks()).toEqual(expect.arrayContaining(early));
  expect((await sources())['none']).toBeGreaterThan(0);
  await switchServices('{repositories,pull_requests,tickets}');
  const pushed = await situation.startImport(repositoryId);
  await situation.importAll({ ...pushed, streams: ['refs', 'commits'] });
  expect(await links()).toEqual(truthLinks());
});

test('a parent that did not come with the whole history is not waited for', async () => {
  const [parent] = await situation.rows(sql`
    delete from commits where hash = (
      select m.parent_hashes[2] from commits m join pull_request_commits l on l.commit_hash = m.parent_hashes[2]
      where l.source = 'merge_commit' limit 1)
    returning hash, parent_hashes as parents`);
  await situation.rows(sql`update pull_requests set commits_source = null`);
  await imported();
  expect((await sources())['none']).toBeUndefined();
  await storeCommits([parent as Line]);
  await imported('full');
  expect(await links()).toEqual(truthLinks());
});

test("equals the host's own list of a pull request's commits, where the source branch still tells", async () => {
  const { login, secret } = situation.simulator.credential('api_token.admin');
  const authorization = `Basic ${Buffer.from(`${login ?? ''}:${secret}`).toString('base64')}`;
  const stored = await links();
  let compared = 0;
  for (const line of ofKind('pull_request')) {
    if (line['state'] !== 'MERGED') continue;
    const own = stored.filter((link) => link.startsWith(`${String(line['number'])} `));
    if (!own.some((link) => link.endsWith('merge_commit'))) continue;
    const url = `${situation.simulator.apiUrl}/repositories/${REPOSITORY}/pullrequests/${String(line['number'])}/commits?pagelen=100`;
    const answer = await fetch(url, { headers: { authorization } });
    // Without its fork or source branch the host has no list, or an empty one (facts 3.7).
    const { values = [] } = (await answer.json()) as { values?: { hash: string }[] };
    if (values.length === 0) continue;
    compared += 1;
    expect(values.map(({ hash }) => hash).toSorted()).toEqual(own.map((link) => link.split(' ')[1] ?? ''));
  }
  expect(compared).toBeGreaterThan(0);
});

test('a pull request that goes takes its links along', async () => {
  await situation.rows(sql`delete from pull_requests`);
  expect(await links()).toEqual([]);
});
