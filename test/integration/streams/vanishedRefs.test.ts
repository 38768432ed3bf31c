import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createListing, type Listing } from './listing.ts';
import type { Situation } from './situation.ts';

const TOPICS = Array.from({ length: 30 }, (_, at) => `topic/${String(at).padStart(2, '0')}`);
const LIST = '/refs/branches\\?';
const ONE = '/refs/branches/';

let listing: Listing;
let situation: Situation;
let id: string;
beforeAll(async () => {
  listing = await createListing();
  ({ situation } = listing);
  id = await situation.repository('acme/rocket');
});
afterAll(() => situation.close());

const names = async (table: 'branches' | 'tags' = 'branches'): Promise<string[]> =>
  (
    await situation.rows(
      sql`select name from ${sql.identifier(table)} where repository_id = ${id} order by name`,
    )
  ).map(({ name }) => String(name));
const noted = async (): Promise<number> =>
  (
    await situation.rows(
      sql`select name from branches where repository_id = ${id} and missing_since is not null`,
    )
  ).length;
const marked = async (): Promise<number> =>
  (
    await situation.rows(
      sql`select hash from commits where repository_id = ${id} and unreachable_since is not null`,
    )
  ).length;
/** As if what was noted had been noted a little more than an hour ago. */
const anHourLater = () =>
  situation.rows(sql`update branches set missing_since = missing_since - interval '61 minutes'
    where repository_id = ${id}`);
const bend = (...rules: object[]) => situation.simulator.faults.set({ seed: 3, rules });
const lookUps = (asked: string[]): string[] => asked.filter((one) => one.startsWith('GET refs/branches/'));
const deleted = async (branches: string[]): Promise<void> => {
  for (const name of branches) await listing.git('rocket', { kind: 'deleteBranch', name });
};

/** All topics are there and stored, the last with a commit of its own. */
beforeEach(async () => {
  situation.simulator.faults.clear();
  await listing.imported(id);
  const stored = new Set(await names());
  for (const name of TOPICS.slice(0, -1)) {
    if (!stored.has(name)) await listing.git('rocket', { kind: 'createBranch', name, target: 'main' });
  }
  const [last = ''] = TOPICS.slice(-1);
  if (!stored.has(last)) await listing.push('rocket', last, ['Its own\n']);
  const { input } = await listing.imported(id);
  const problems = await listing.problems(id, input);
  const here = new Set(await names());
  if (problems.length > 0 || !TOPICS.every((name) => here.has(name)))
    throw new Error(`does not begin as it should: ${problems.join(', ')}`);
}, 60_000);

describe('a false list of branches deletes nothing', () => {
  const thin = (size: string, share = 0.3) => ({
    match: { path: LIST },
    fault: { kind: 'thin_list', share, size },
  });
  const empty = (when: object) => ({ match: { path: LIST }, ...when, fault: { kind: 'empty_list' } });

  test.each([
    ['empty once', empty({ nth: [1] }), 2, 0],
    ['empty twice, one behind the other', empty({ nth: [1, 2] }), 3, 1],
    ['empty as often as it is asked', empty({}), 6, 3],
    ['a third is missing, once', { ...thin('lowered'), nth: [1] }, 2, 1],
    ['a third is missing, each time', thin('lowered'), 3, 3],
    ['shorter than its size, once', { ...thin('kept'), nth: [1] }, 2, 0],
    ['shorter than its size, each time', thin('kept'), 3, 1],
  ])('%s', async (_, rule, lists, mostLookUps) => {
    const before = await names();
    const reachable = await marked();
    for (let times = 0; times < 2; times += 1) {
      bend(rule);
      const { asked } = await listing.imported(id);
      expect(asked.filter((one) => one === 'GET refs/branches').length).toBeLessThanOrEqual(lists);
      expect(lookUps(asked).length).toBeLessThanOrEqual(mostLookUps);
      expect(await names()).toEqual(before);
      expect(await marked()).toBe(reachable);
      await anHourLater();
    }
    situation.simulator.faults.clear();
    expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
    expect(await noted()).toBe(0);
  });

  test('nor does an empty one while each branch is "not found" too, which the report says; a true list forgets it', async () => {
    const before = await names();
    bend(empty({}), { match: { path: ONE }, fault: { kind: 'status', status: 404 } });
    const { input } = await listing.imported(id);
    await listing.imported(id);
    expect(await names()).toEqual(before);
    expect(await noted()).toBe(before.length);
    const [refs] = await situation.rows(sql`select notes from import_streams
      where import_id = ${input.importId} and stream = 'refs'`);
    expect(refs?.['notes']).toMatchObject({ not_listed: { count: before.length } });
    situation.simulator.faults.clear();
    expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
    expect(await noted()).toBe(0);
  });

  test('nor do lists that say that they are longer, an hour apart, of what cannot be looked up', async () => {
    const before = await names();
    bend(thin('kept', 0.9), { match: { path: ONE }, fault: { kind: 'status', status: 403 } });
    for (let times = 0; times < 3; times += 1) {
      const { asked } = await listing.imported(id);
      expect(lookUps(asked).length).toBeGreaterThan(0);
      expect(await names()).toEqual(before);
      await anHourLater();
    }
    situation.simulator.faults.clear();
    expect(await listing.problems(id, (await listing.imported(id)).input)).toEqual([]);
  });

  test('an answer that is not the branch says nothing of it', async () => {
    const before = await names();
    bend({ ...thin('lowered'), nth: [1] }, { match: { path: ONE }, fault: { kind: 'wrong_shape' } });
    const input = await listing.begin(id);
    await expect(situation.importAll(input)).rejects.toMatchObject({ type: 'InvalidResponse' });
    situation.simulator.faults.clear();
    await situation.importAll(input);
    expect(await names()).toEqual(before);
  });
});

describe('what was deleted goes', () => {
  test('one branch and one tag with the next import, for a request each; the commits of the branch are marked', async () => {
    const before = await marked();
    const [tag = ''] = await names('tags');
    await deleted(TOPICS.slice(-1));
    await listing.git('rocket', { kind: 'deleteTag', name: tag });
    const { input, asked } = await listing.imported(id);
    expect(asked).toEqual([
      'GET refs/branches',
      'GET refs/branches/topic/29 404',
      'GET refs/tags',
      `GET refs/tags/${tag} 404`,
    ]);
    expect(await names()).toEqual(expect.not.arrayContaining(['topic/29']));
    expect(await names('tags')).toEqual(expect.not.arrayContaining([tag]));
    expect(await marked()).toBe(before + 1);
    expect(await situation.differences()).toBe('');
    expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy' }, { state: 'healthy' }]);
  });

  test('fifteen at once with the second import, a request at a time', async () => {
    await deleted(TOPICS.slice(0, 15));
    const first = await listing.begin(id);
    await situation.importAll(first, { limits: { requests: 1 } });
    expect(await names()).toEqual(expect.not.arrayContaining(TOPICS.slice(0, 10)));
    expect(await noted()).toBe(5);
    expect(lookUps((await listing.imported(id)).asked)).toHaveLength(5);
    expect(await situation.differences()).toBe('');
  });

  test('all but main when a list of an hour later agrees, whatever their number', async () => {
    await deleted(TOPICS);
    const first = await listing.imported(id);
    expect(lookUps(first.asked)).toHaveLength(10);
    expect(await noted()).toBe(20);
    await anHourLater();
    const { asked, input } = await listing.imported(id);
    expect(lookUps(asked)).toHaveLength(10);
    expect((await names()).filter((name) => name.startsWith('topic/'))).toEqual([]);
    expect(await situation.differences()).toBe('');
    expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy' }, { state: 'healthy' }]);
  });

  test('one that cannot be looked up when a list of an hour later agrees', async () => {
    await deleted(['topic/07']);
    bend({ match: { path: ONE }, fault: { kind: 'status', status: 403 } });
    await listing.imported(id);
    await listing.imported(id);
    expect(await names()).toContain('topic/07');
    await anHourLater();
    await listing.imported(id);
    expect(await names()).not.toContain('topic/07');
    expect(await situation.differences()).toBe('');
  });
});
