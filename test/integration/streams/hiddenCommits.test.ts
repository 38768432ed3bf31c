import { sql } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createListing, type Listing } from './listing.ts';
import type { ImportInput, Situation } from './situation.ts';

/** A commit in quarantine that is not stored names no parents: what it leads to must be found all the same. */

let listing: Listing;
let situation: Situation;
let id: string;
beforeEach(async () => {
  listing = await createListing();
  ({ situation } = listing);
  id = await situation.repository('acme/rocket');
});
afterEach(() => situation.close());

const list = { path: '/commits\\?' };
const bad = (message: string) => ({
  match: list,
  fault: {
    kind: 'poison' as const,
    record: `"message":"${message}\\\\n"`,
    find: '"message":"[^"]*"',
    replace: '"message":7',
  },
});
const refused = {
  match: { path: '/commits\\?.*ctx=' },
  nth: [1],
  fault: { kind: 'status' as const, status: 400 },
};
const emptied = (...nth: number[]) => ({ match: list, nth, fault: { kind: 'empty_list' as const } });

const pushed = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => `Pushed ${String(index + 1)}\n`);
const storedOf = async (): Promise<number> => {
  const [row] = await situation.rows(sql`select count(*)::int as n from commits
    where repository_id = ${id} and message like 'Pushed %'`);
  return Number(row?.['n']);
};
/** The host, whose first page of commits does not say that there are more. */
function cuttingShort(): Situation['bitbucket'] {
  let cuts = 1;
  return {
    get: async (request) => {
      const answer = await situation.bitbucket.get(request);
      if (request.path?.includes('/commits') !== true || cuts === 0) return answer;
      cuts -= 1;
      return { ...answer, json: { ...(answer.json as object), next: undefined } };
    },
  };
}

/** One import, and how it asked for commits. */
async function imported(bitbucket = situation.bitbucket): Promise<{ input: ImportInput; asked: string[] }> {
  const since = listing.journalEnd();
  const input = await listing.begin(id);
  await situation.importAll(input, { bitbucket });
  return { input, asked: listing.commitsSince(since) };
}
/** Newest first, so the oldest of the first hundred of 250 is this one. */
const LAST_OF_A_PAGE = 'Pushed 151';

describe('what was pushed, with a commit that cannot be read', () => {
  beforeEach(() => listing.imported(id));

  test('as the last of a page: the list is read to its end, and the next import asks for nothing', async () => {
    await listing.push('rocket', 'main', pushed(250));
    situation.simulator.faults.set({ rules: [bad(LAST_OF_A_PAGE)] });
    const { input, asked } = await imported();
    expect(asked).toEqual(['GET commits', 'GET commits', 'GET commits']);
    expect(await storedOf()).toBe(249);
    expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy', quarantined: 1 }, {}]);
    situation.simulator.faults.clear();
    expect((await imported()).asked).toEqual([]);
  });

  test.each([
    ['whose next is refused', refused, ['GET commits', 'GET commits 400']],
    ['whose next page is falsely empty', emptied(2), ['GET commits', 'GET commits']],
  ])('as the last of a page %s: all that is new is listed once more', async (_, fault, before) => {
    await listing.push('rocket', 'main', pushed(250));
    situation.simulator.faults.set({ rules: [fault, bad(LAST_OF_A_PAGE)] });
    const { asked } = await imported();
    expect(asked).toEqual([...before, 'GET commits', 'GET commits', 'GET commits']);
    expect(await storedOf()).toBe(249);
  });

  test('as the last of a list that is cut short there: all that is new is listed once more', async () => {
    await listing.push('rocket', 'main', pushed(250));
    situation.simulator.faults.set({ rules: [bad(LAST_OF_A_PAGE)] });
    const { asked } = await imported(cuttingShort());
    expect(asked).toEqual(['GET commits', 'GET commits', 'GET commits', 'GET commits']);
    expect(await storedOf()).toBe(249);
  });

  test('as all there is: one request more tells that nothing was cut off', async () => {
    await listing.push('rocket', 'main', pushed(1));
    situation.simulator.faults.set({ rules: [bad('Pushed 1')] });
    expect((await imported()).asked).toEqual(['GET commits', 'GET commits']);
    expect((await imported()).asked).toEqual([]);
  });

  test('an import that cannot make sure says that it lacks something, and the next one makes sure', async () => {
    await listing.push('rocket', 'aside', ['Aside\n'], await listing.tipOf(id, 'main'));
    await listing.push('rocket', 'main', pushed(250));
    situation.simulator.faults.set({ rules: [emptied(2, 3), bad(LAST_OF_A_PAGE)] });
    const first = await imported(cuttingShort());
    const [commits] = await situation.streamStates(first.input);
    expect(Number(commits?.['expected'])).toBeGreaterThan(
      Number(commits?.['stored']) + Number(commits?.['quarantined']),
    );
    situation.simulator.faults.set({ rules: [bad(LAST_OF_A_PAGE)] });
    await imported();
    expect(await storedOf()).toBe(249);
    situation.simulator.faults.clear();
    expect((await imported()).asked).toEqual([]);
  });
});

describe('a first import that meets a commit that cannot be read', () => {
  beforeEach(async () => {
    id = await situation.repository('acme/blank');
  });

  test('as the last of a page whose next is refused: everything is listed once more', async () => {
    await listing.push('blank', 'main', pushed(250));
    situation.simulator.faults.set({ rules: [refused, bad(LAST_OF_A_PAGE)] });
    const { input, asked } = await imported();
    expect(asked).toEqual(['GET commits', 'GET commits 400', 'GET commits', 'GET commits', 'GET commits']);
    expect(await storedOf()).toBe(249);
    expect(await situation.streamStates(input)).toMatchObject([{ state: 'healthy', quarantined: 1 }, {}]);
  });

  test('as the first commit of all: it has no parents, so nothing more is asked for', async () => {
    await listing.push('blank', 'main', pushed(3));
    situation.simulator.faults.set({ rules: [bad('Pushed 1')] });
    expect((await imported()).asked).toEqual(['GET commits']);
    expect(await storedOf()).toBe(2);
  });
});

test('a commit that cannot be read is the one head: the next list still leaves out what was complete before', async () => {
  id = await situation.repository('acme/blank');
  await listing.push('blank', 'main', pushed(250));
  await imported();
  await listing.push('blank', 'main', ['Bad\n']);
  situation.simulator.faults.set({ rules: [bad('Bad')] });
  await imported();
  await listing.push('blank', 'main', ['On top\n']);
  // What is new, and once more for the commit that cannot be read. Its whole history would be three pages.
  expect((await imported()).asked).toEqual(['GET commits', 'GET commits']);
  expect(await listing.stored(id)).toBe(251);
});
