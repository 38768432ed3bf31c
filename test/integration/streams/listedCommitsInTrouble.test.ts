import { sql } from 'drizzle-orm';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { NotFound } from '../../../activities/bitbucket/errors.ts';
import { createListing, type Listing } from './listing.ts';
import type { Situation } from './situation.ts';

let listing: Listing;
let situation: Situation;
beforeAll(async () => {
  listing = await createListing();
  ({ situation } = listing);
});
afterAll(() => situation.close());
afterEach(() => situation.simulator.faults.clear());

/** Commits of `acme/rocket` that its branches and tags lead to. */
async function truthCommits(): Promise<number> {
  const answer = await fetch(`${situation.simulator.url}/_simulator/state`);
  const lines = (await answer.text()).split('\n').filter((line) => line.includes('"kind":"commit",'));
  const [row] = await situation.rows(
    sql`select provider_uuid as uuid from repositories where full_name = 'acme/rocket'`,
  );
  return lines.filter((line) => line.includes(String(row?.['uuid']))).length;
}

describe('whatever happens on the way', () => {
  let id: string;
  /** As if nothing had been imported yet. */
  async function forget(): Promise<void> {
    await situation.rows(sql`delete from commits where repository_id = ${id}`);
    await situation.rows(sql`delete from branches where repository_id = ${id}`);
    await situation.rows(sql`delete from tags where repository_id = ${id}`);
    await situation.rows(sql`delete from streams where repository_id = ${id}`);
  }
  beforeAll(async () => {
    id = await situation.repository('acme/rocket');
  });

  test.each(['changed', 'full'] as const)(
    'a worker that dies again and again loses nothing and asks for a page again at most (%s)',
    async (mode) => {
      if (mode === 'changed') await forget();
      const pages = Math.ceil((await truthCommits()) / 100);
      const since = listing.journalEnd();
      const input = await listing.begin(id, mode);
      let attempts = 0;
      for (let done = false; !done && attempts < 20; attempts += 1) {
        let asked = 0;
        const mortal: Situation['bitbucket'] = {
          get: async (request) => {
            const answer = await situation.bitbucket.get(request);
            asked += 1;
            if (asked === 3) throw new Error('the worker died');
            return answer;
          },
        };
        const result = await situation.chunk(input, { bitbucket: mortal }).catch((error: Error) => {
          expect(error.message).toBe('the worker died');
          return { done: false };
        });
        done = result.done;
      }
      expect(attempts).toBeGreaterThan(3);
      expect(listing.commitsSince(since).length).toBeLessThan(pages + attempts);
      expect(await listing.problems(id, input)).toEqual([]);
    },
  );

  test('a next that the host refuses: it goes on from what is missing', async () => {
    await forget();
    const input = await listing.begin(id);
    await situation.chunk(input, { limits: { requests: 4 } });
    const before = await listing.stored(id);
    expect(before).toBe(200);
    situation.simulator.faults.set({
      rules: [{ match: { path: '/commits\\?.*ctx=' }, nth: [1], fault: { kind: 'status', status: 400 } }],
    });
    const since = listing.journalEnd();
    await situation.importAll(input);
    expect(listing.commitsSince(since)[0]).toBe('GET commits 400');
    expect(listing.commitsSince(since)).toHaveLength(1 + Math.ceil(((await truthCommits()) - before) / 100));
    expect(await listing.problems(id, input)).toEqual([]);
  });

  test('a next that is refused for good, too often: the import fails, and tried again asks for what is missing', async () => {
    await forget();
    const input = await listing.begin(id);
    await situation.chunk(input, { limits: { requests: 4 } });
    await situation.rows(sql`update streams set position = position || '{"restarts": 3}'
      where repository_id = ${id} and stream = 'commits'`);
    situation.simulator.faults.set({
      rules: [{ match: { path: '/commits\\?.*ctx=' }, fault: { kind: 'status', status: 400 } }],
    });
    await expect(situation.importAll(input)).rejects.toMatchObject({ type: 'BadRequest' });
    await situation.importAll(input);
    expect(await listing.problems(id, input)).toEqual([]);
  });

  test('commits that the host calls unknown by what is no hash are not remembered', async () => {
    await forget();
    const input = await listing.begin(id);
    const odd: Situation['bitbucket'] = {
      get: async (request) => {
        if (request.path?.includes('/commits') !== true) return situation.bitbucket.get(request);
        const finding = { code: 'not_found', message: 'Not found.', remedy: 'None.' };
        throw new NotFound({ finding: { ...finding, details: { shas: ['\u0000', 'HEAD'] } } });
      },
    };
    await expect(situation.importAll(input, { bitbucket: odd })).rejects.toBeInstanceOf(NotFound);
  });

  test('another import goes on where one was left', async () => {
    await forget();
    await situation.chunk(await listing.begin(id), { limits: { requests: 4 } });
    const since = listing.journalEnd();
    const { input } = await listing.imported(id);
    expect(listing.commitsSince(since)).toHaveLength(Math.ceil((await truthCommits()) / 100) - 2);
    expect(await listing.problems(id, input)).toEqual([]);
  });

  test.each(['empty_list', 'thin_list', 'next'] as const)(
    'a list that leaves something out (%s) is found out, and what is missing asked for',
    async (kind) => {
      await forget();
      const fault =
        kind === 'next' ? { kind, to: 'none' } : kind === 'thin_list' ? { kind, share: 0.3 } : { kind };
      situation.simulator.faults.set({
        seed: 3,
        rules: [{ match: { path: '/commits\\?' }, nth: [2], fault }],
      });
      expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
    },
  );

  test('an import that stays short of commits says how many are missing, and the next finds them', async () => {
    await forget();
    const rules = [{ match: { path: '/commits\\?' }, fault: { kind: 'empty_list' } }];
    situation.simulator.faults.set({ rules });
    const { input, asked } = await listing.imported(id);
    expect(asked.filter((one) => one === 'GET commits')).toHaveLength(3);
    const [, refs] = await situation.streamStates(input);
    const [commits] = await situation.streamStates(input);
    expect(commits).toMatchObject({ stream: 'commits', stored: 0 });
    expect(Number(commits?.['expected'])).toBeGreaterThan(0);
    expect(refs).toMatchObject({ state: 'healthy' });
    situation.simulator.faults.clear();
    expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
  });

  test('a commit that cannot be read goes to quarantine, its parents are read, and a retry stores it', async () => {
    await forget();
    const poison = {
      kind: 'poison',
      record: '"type":"commit"',
      find: '"message":"[^"]*"',
      replace: '"message":7',
    };
    situation.simulator.faults.set({ rules: [{ match: { path: '/commits\\?' }, count: 1, fault: poison }] });
    const first = await listing.imported(id);
    const [commits] = await situation.streamStates(first.input);
    expect(commits).toMatchObject({
      state: 'healthy',
      quarantined: 1,
      expected: Number(commits?.['stored']) + 1,
    });
    const kept = await situation.rows(sql`select record_key as key, reason from quarantine`);
    expect(kept).toEqual([
      { key: expect.stringMatching(/^[0-9a-f]{40}$/), reason: expect.stringContaining('message') },
    ]);
    expect(await situation.differences()).toMatch(/^lost: commit [0-9a-f]{40} of acme\/rocket$/);
    situation.simulator.faults.clear();
    expect(await listing.problems(id, (await listing.imported(id, 'full')).input)).toEqual([]);
    expect(await situation.rows(sql`select from quarantine`)).toEqual([]);
  });

  test('a walk that git left is taken over, with what git completed', async () => {
    const heads = await situation.rows(
      sql`select distinct target_hash as hash from branches where repository_id = ${id}`,
    );
    const position = JSON.stringify({ at: 3, last: null, digest: 'x' });
    const memory = JSON.stringify({
      completed: heads.map(({ hash }) => hash),
      fullImportId: null,
      walk: null,
    });
    await situation.rows(sql`update streams set position = ${position}::jsonb, memory = ${memory}::jsonb
      where repository_id = ${id} and stream = 'commits'`);
    await listing.push('rocket', 'main', ['Behind git\n']);
    const since = listing.journalEnd();
    const { input, asked } = await listing.imported(id);
    expect(asked).toEqual(['GET refs/branches', 'GET refs/tags', 'GET commits']);
    const [request] = situation.simulator.journal
      .since(since)
      .filter(({ path }) => path.includes('/commits?'));
    expect(request?.path).toContain('exclude=');
    expect(await listing.problems(id, input)).toEqual([]);
  });
});
