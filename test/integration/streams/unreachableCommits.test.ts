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

test('what is reached again loses its mark even then', async () => {
  const [row] =
    await situation.rows(sql`select id, (select hash from commits where message = E'Aside\n') as hash
    from repositories where full_name = 'acme/rocket'`);
  const id = String(row?.['id']);
  await situation.rows(sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason)
    values (gen_random_uuid(), ${situation.organizationId}, ${id}, 'commits', repeat('f', 40), '', 'a test')`);
  await listing.git('rocket', { kind: 'createBranch', name: 'aside', target: row?.['hash'] });
  await listing.imported(id);
  expect(await marked(id)).toEqual([]);
});
