import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createListing, type Listing } from './listing.ts';
import type { Situation } from './situation.ts';

let listing: Listing;
let situation: Situation;
beforeAll(async () => {
  listing = await createListing();
  ({ situation } = listing);
});
afterAll(() => situation.close());

describe('a repository whose commits are listed', () => {
  let id: string;
  beforeAll(async () => {
    id = await situation.repository('acme/rocket');
  });

  test('equals the source but for line counts, which are null, and costs a request a hundred commits', async () => {
    const { input, asked } = await listing.imported(id);
    expect(await listing.problems(id, input)).toEqual([]);
    expect(asked).toEqual([
      'GET refs/branches',
      'GET refs/tags',
      ...Array.from({ length: Math.ceil((await listing.stored(id)) / 100) }, () => 'GET commits'),
    ]);
    const [counts] = await situation.rows(sql`select count(lines_added)::int + count(files_changed)::int as n
      from commits where repository_id = ${id}`);
    expect(counts).toEqual({ n: 0 });
  });

  test('unchanged, it costs a look at its refs; a full import reads all again and writes nothing', async () => {
    const versions = () =>
      situation.rows(sql`select ctid::text as place, xmin::text as writer from commits
        union all select ctid::text, xmin::text from branches union all select ctid::text, xmin::text from tags
        order by 1`);
    const before = await versions();
    expect((await listing.imported(id)).asked).toEqual(['GET refs/branches', 'GET refs/tags']);
    const full = await listing.imported(id, 'full');
    expect(full.asked.filter((one) => one === 'GET commits')).toHaveLength(
      Math.ceil((await listing.stored(id)) / 100),
    );
    expect(await versions()).toEqual(before);
    expect(await listing.problems(id, full.input)).toEqual([]);
  });

  test('a full import mends what is wrong, and leaves alone what git told', async () => {
    const [wrong, fromGit] = (
      await situation.rows(sql`select hash from commits where repository_id = ${id} order by hash limit 2`)
    ).map((row) => String(row['hash']));
    await situation.rows(sql`update commits set message = 'wrong' where hash = ${wrong}`);
    await situation.rows(sql`update commits set committer_name = 'Only git knows', files_changed = 1
      where hash = ${fromGit}`);
    expect(await listing.problems(id, (await listing.imported(id, 'full')).input)).toEqual([]);
    expect(await situation.rows(sql`select committer_name from commits where hash = ${fromGit}`)).toEqual([
      { committer_name: 'Only git knows' },
    ]);
  });

  test('what was pushed since is one page', async () => {
    await listing.push('rocket', 'main', ['One\n', 'Two\n']);
    await listing.push('rocket', 'topic', ['Three\n']);
    await listing.git('rocket', { kind: 'createTag', name: 'v9', target: 'topic', message: 'Nine\n' });
    await listing.git('rocket', { kind: 'createTag', name: 'light', target: 'main' });
    const { input, asked } = await listing.imported(id);
    expect(await listing.problems(id, input)).toEqual([]);
    expect(asked).toEqual(['GET refs/branches', 'GET refs/tags', 'GET commits']);
  });

  test('after a force-push whose old head was collected as garbage, it goes on without that head', async () => {
    const before = await listing.tipOf(id, 'topic');
    await listing.push('rocket', 'topic', ['Instead\n'], await listing.tipOf(id, 'main'));
    await listing.git('rocket', { kind: 'deleteTag', name: 'v9' });
    await listing.git('rocket', { kind: 'collectGarbage' });
    const { input, asked } = await listing.imported(id);
    expect(asked).toEqual([
      'GET refs/branches',
      'GET refs/tags',
      'GET refs/tags/v9 404',
      'GET commits 404',
      'GET commits',
    ]);
    expect(await situation.differences()).toBe('');
    expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy' }, { state: 'healthy' }]);
    // The commit stays, and says that nothing leads to it any more.
    const marked = sql`select hash from commits where repository_id = ${id} and unreachable_since is not null`;
    expect(await situation.rows(marked)).toEqual([{ hash: before }]);
  });

  test('where no known head is left, it stops as soon as nothing is missing', async () => {
    const before = await listing.tipOf(id, 'topic');
    const root = await situation.rows(sql`select parent_hashes[1] as hash from commits
      where repository_id = ${id} and hash = ${await listing.tipOf(id, 'main')}`);
    await situation.rows(sql`update streams set memory = jsonb_set(memory, '{listed}', ${JSON.stringify(['f'.repeat(40)])}::jsonb)
      where repository_id = ${id} and stream = 'commits'`);
    await listing.push('rocket', 'topic', ['Rewritten\n'], String(root[0]?.['hash']));
    const { asked } = await listing.imported(id);
    expect(asked).toEqual(['GET refs/branches', 'GET refs/tags', 'GET commits 404', 'GET commits']);
    await situation.rows(sql`delete from commits where hash = ${before}`);
    expect(await situation.differences()).toBe('');
  });
});

describe('branches and tags', () => {
  test('an empty repository has none, which is believed at the second look, and no commits', async () => {
    const id = await situation.repository('acme/blank');
    const first = await listing.imported(id);
    expect(first.asked).toEqual(['GET refs/branches', 'GET refs/branches', 'GET refs/tags', 'GET refs/tags']);
    expect(await listing.problems(id, first.input)).toEqual([]);
    expect((await listing.imported(id)).asked).toEqual(['GET refs/branches', 'GET refs/tags']);
    await listing.push('blank', 'main', ['First\n']);
    await situation.rows(sql`update repositories set main_branch = 'main' where id = ${id}`);
    expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
  });

  test('one that goes between two pages pushes no other out: a list without a size is read until it shows nothing new', async () => {
    const id = await situation.repository('acme/many-tags');
    const input = await listing.begin(id);
    const since = listing.journalEnd();
    // Branches, then the first page of tags.
    await situation.chunk(input, { limits: { requests: 2 } });
    const names = await situation.rows(sql`select name from tags where repository_id = ${id} order by name`);
    expect(names).toHaveLength(100);
    await listing.git('many-tags', { kind: 'deleteTag', name: names[2]?.['name'] });
    const chunk = await situation.chunk(input, { limits: { requests: 5 } });
    expect(chunk).toMatchObject({ done: false, stream: 'commits' });
    expect(listing.askedSince(since).filter((one) => one === 'GET refs/tags')).toHaveLength(6);
    const shown = await situation.differences();
    // The one that went was shown once; whoever does not see it any more removes it.
    expect(shown.split('\n').filter((line) => line.includes(' tag '))).toEqual([
      expect.stringContaining(`extra: tag ${String(names[2]?.['name'])} `),
    ]);
    // So that its closing round looks again: a quick walk leaves that to the next import.
    situation.simulator.clock.advance(5 * 60_000);
    await situation.importAll(input);
    expect(await listing.problems(id, input)).toEqual([]);
  });

  test('more hashes than an address holds go by POST; what somebody removed is brought back', async () => {
    const [row] = await situation.rows(sql`select id from repositories where full_name = 'acme/many-tags'`);
    const id = String(row?.['id']);
    await situation.rows(sql`delete from commits where repository_id = ${id} and hash in (
      select target_hash from tags where repository_id = ${id} limit 60)`);
    const { input, asked } = await listing.imported(id);
    // Left out first is what is known to be complete, and then it turns out not to be.
    expect(asked.filter((one) => one.includes('commits'))).toEqual(['POST commits', 'POST commits']);
    expect(await listing.problems(id, input)).toEqual([]);
  });
});
