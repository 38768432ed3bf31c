import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createListing, type Listing } from './listing.ts';
import type { Situation } from './situation.ts';

/** Commits that no branch or tag leads to any more, where commits are lists of the API. */

let listing: Listing;
let situation: Situation;
beforeAll(async () => {
  listing = await createListing();
  ({ situation } = listing);
});
afterAll(() => situation.close());
afterEach(() => situation.simulator.faults.clear());

const marked = async (id: string): Promise<string[]> =>
  (
    await situation.rows(sql`select message from commits
      where repository_id = ${id} and unreachable_since is not null order by message`)
  ).map((row) => String(row['message']));

test('while a commit is in quarantine nobody knows what it leads to: nothing is marked before it is stored', async () => {
  const id = await situation.repository('acme/rocket');
  await listing.push('rocket', 'aside', ['Aside\n']);
  await listing.imported(id);
  await listing.push('rocket', 'main', ['Poisoned\n']);
  const wrong = { find: '"message":"Poisoned[^"]*"', replace: '"message":7' };
  const fault = { kind: 'poison' as const, record: '"message":"Poisoned', ...wrong };
  situation.simulator.faults.set({ rules: [{ match: { path: '/commits\\?' }, fault }] });
  await listing.imported(id);
  await listing.push('rocket', 'main', ['Sound\n']);
  await listing.git('rocket', { kind: 'deleteBranch', name: 'aside' });
  const { input } = await listing.imported(id);
  expect(await situation.streamStates(input)).toMatchObject([{ quarantined: 1 }, {}]);
  expect(await marked(id)).toEqual([]);
  situation.simulator.faults.clear();
  await listing.imported(id, 'full');
  expect(await marked(id)).toEqual(['Aside\n']);
});

describe('a branch that is deleted while its commits are listed', () => {
  let id: string;
  const stored = async (): Promise<string[]> =>
    (
      await situation.rows(sql`select message from commits
        where repository_id = ${id} and message like 'Long%' order by message`)
    ).map((row) => String(row['message']));

  test('is marked by the next import, though none was completed before', async () => {
    id = await situation.repository('acme/many-tags');
    const messages = Array.from({ length: 150 }, (_, index) => `Long ${String(index)}\n`);
    await listing.push('many-tags', 'long', messages);
    // Branches, twice two pages of tags, and the first page of commits.
    await situation.chunk(await listing.begin(id), { limits: { requests: 6 } });
    await listing.git('many-tags', { kind: 'deleteBranch', name: 'long' });
    const [left] = await stored();
    expect(left).toBeDefined();
    await listing.imported(id);
    expect(await marked(id)).toEqual(await stored());
  });

  test('is marked by a full import, whatever those before it missed', async () => {
    await situation.rows(sql`update commits set unreachable_since = null where repository_id = ${id}`);
    await listing.imported(id, 'full');
    expect(await marked(id)).toEqual(await stored());
  });
});

test('what is reached again loses its mark, also while a commit is in quarantine', async () => {
  const [row] =
    await situation.rows(sql`select id, (select hash from commits where message = E'Aside\n') as hash
    from repositories where full_name = 'acme/rocket'`);
  const id = String(row?.['id']);
  await situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason)
    values (gen_random_uuid(), ${situation.organizationId}, ${id}, 'commits', repeat('f', 40), '', 'a test')`);
  await listing.git('rocket', { kind: 'createBranch', name: 'aside', target: row?.['hash'] });
  await listing.imported(id);
  expect(await marked(id)).toEqual([]);
  await situation.rows(sql`delete from quarantine`);
});

test('a parent that the host has collected as garbage is asked for once, and by full imports', async () => {
  const [row] = await situation.rows(sql`select id from repositories where full_name = 'acme/rocket'`);
  const id = String(row?.['id']);
  const messages = Array.from({ length: 150 }, (_, index) => `Old ${String(index)}\n`);
  await listing.push('rocket', 'old', messages, await listing.tipOf(id, 'main'));
  const old = await listing.begin(id);
  // Branches, tags, and the newer hundred of them.
  await situation.chunk(old, { limits: { requests: 3 } });
  await listing.git('rocket', { kind: 'deleteBranch', name: 'old' });
  await listing.git('rocket', { kind: 'collectGarbage' });
  await situation.importAll(old);
  const commitsAsked = async (mode: 'changed' | 'full' = 'changed') =>
    (await listing.imported(id, mode)).asked.filter((one) => one.includes('commits'));
  expect(await commitsAsked()).toEqual([]);
  await listing.push('rocket', 'main', ['Later\n']);
  expect(await commitsAsked()).toEqual(['GET commits']);
  expect(await commitsAsked('full')).toContain('GET commits 404');
  expect(await commitsAsked()).toEqual([]);
  expect(await marked(id)).toHaveLength(100);
});

test('a branch that comes back after part of it was lost is asked for what it lacks, and is whole again', async () => {
  const [row] = await situation.rows(sql`select id from repositories where full_name = 'acme/rocket'`);
  const id = String(row?.['id']);
  const base = await listing.tipOf(id, 'main');
  const messages = Array.from({ length: 150 }, (_, index) => `Back ${String(index)}\n`);
  const back = async () =>
    (
      await situation.rows(sql`select count(*)::int as stored, count(unreachable_since)::int as marked
        from commits where repository_id = ${id} and message like 'Back %'`)
    )[0];
  await listing.push('rocket', 'back', messages, base);
  const first = await listing.begin(id);
  // Branches, tags, and the newer hundred of them.
  await situation.chunk(first, { limits: { requests: 3 } });
  await listing.git('rocket', { kind: 'deleteBranch', name: 'back' });
  await listing.git('rocket', { kind: 'collectGarbage' });
  await situation.importAll(first);
  await listing.imported(id);
  expect(await back()).toEqual({ stored: 100, marked: 100 });
  // The same commits again: its head is stored, so no head is missing.
  await listing.push('rocket', 'back', messages, base);
  const { asked } = await listing.imported(id);
  expect(asked.filter((one) => one.includes('commits'))).toEqual(['GET commits']);
  expect(await back()).toEqual({ stored: 150, marked: 0 });
});

test('what the host did not know once is asked for where a branch leads to it again', async () => {
  const [row] = await situation.rows(sql`select id from repositories where full_name = 'acme/rocket'`);
  const id = String(row?.['id']);
  // No other commit names it, so nothing but the branch can bring it back.
  await listing.push('rocket', 'main', ['Newest\n']);
  await listing.imported(id);
  const lost = await listing.tipOf(id, 'main');
  await situation.rows(sql`delete from commits where repository_id = ${id} and hash = ${lost}`);
  await situation.rows(sql`update streams set memory = jsonb_set(memory, '{lost}', ${JSON.stringify([lost])}::jsonb)
    where repository_id = ${id} and stream = 'commits'`);
  await listing.imported(id);
  expect(await situation.rows(sql`select hash from commits where hash = ${lost}`)).toEqual([{ hash: lost }]);
});
