import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { acmeWorld } from '../../support/acmeWorld.ts';
import { below, pick, type Random } from '../../support/badAnswers.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { overSeeds, seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

/**
 * What people change between the pages of a walk (reliability.md, F26), in small pages through a small repository: every
 * order of three changes at every place behind four pages, and random schedules. The import itself, with its closing
 * rounds, must end equal to the source; and in any case the next one, once nothing changes any more.
 */
const REPOSITORY = 'acme/subject';
const PULL_REQUESTS = 20;
const PAGES = 4;
const WORLD = acmeWorld([{ slug: 'subject', pullRequests: PULL_REQUESTS, commits: 10, tickets: 8 }]);
/** Longer than a walk reaches back behind its watermark: no overlap hides a gap, and none of it counts as quick. */
const BETWEEN_PAGES_MS = 20 * 60_000;

/** A change behind the third closing round, which was the last, was left to the next import. */
const FAILED_ONCE = [70_025];

/** Changes within the last closing round, behind the list that would show them (306, 444); some behind the very last answer. */
const LEFT_TO_THE_NEXT = [306, 444, 632, 72_062];

vi.setConfig({ testTimeout: seedsTimeoutMs() });

let situation: Situation;
/** what a new pull request can come from, and one that can be merged */
let branch: string;
let open: number;
let entries: number;
/** made anew for each import */
let comment: number;
beforeAll(async () => {
  situation = await createSituation({ world: WORLD });
  // All cases together take longer than a token lives, by the simulator's clock.
  await situation.simulator.mutate({ kind: 'credential.restore', name: 'api_token.admin' });
  const state = await fetch(`${situation.simulator.url}/_simulator/state`);
  const records = (await state.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const ofKind = (kind: string) => records.filter((record) => record['kind'] === kind);
  branch = String(ofKind('branch').find(({ name }) => name !== 'main')?.['name']);
  open = Number(ofKind('pull_request').find((record) => record['state'] === 'OPEN')?.['number']);
  entries = ofKind('activity').length;
});
afterAll(() => situation?.close());

const mutate = (kind: string, more: Record<string, unknown> = {}) =>
  situation.simulator.mutate({ kind, repository: REPOSITORY, ...more });

/** Changes of pull requests that lie all over the pages. */
const CHANGES: Record<string, () => Promise<unknown>> = {
  'new pull request': () => mutate('pull_request.create', { title: 'New', source: branch }),
  edit: () => mutate('pull_request.edit', { number: 3, title: 'Edited' }),
  comment: () => mutate('comment.add', { number: 8, raw: 'Said meanwhile' }),
  'deleted comment': () => mutate('comment.delete', { number: 12, comment }),
  vote: () => mutate('pull_request.approve', { number: 17 }),
  merge: () => mutate('pull_request.edit', { number: open, state: 'MERGED' }),
};

const LISTS = { 'pull requests': '/pullrequests?', activity: '/pullrequests/activity?' } as const;
type List = keyof typeof LISTS;

interface Case {
  list: List;
  changes: string[];
  /** behind which page each of them comes, from 1 */
  places: number[];
}

/** Every list, every order of three changes, every place of theirs behind four pages. */
function* everyCase(): Iterable<Case> {
  const names = Object.keys(CHANGES);
  const pages = Array.from({ length: PAGES }, (_, index) => index + 1);
  for (const list of Object.keys(LISTS) as List[]) {
    for (const one of names)
      for (const two of names)
        for (const three of names) {
          if (one === two || two === three || one === three) continue;
          for (const first of pages)
            for (const second of pages.slice(first - 1))
              for (const third of pages.slice(second - 1))
                yield { list, changes: [one, two, three], places: [first, second, third] };
        }
  }
}
const CASES = [...everyCase()];
/** No divisor of their number: so many seeds in a row are all cases, and a few of them lie all over. */
const STRIDE = 1_789;

/** Nothing imported, and the repository as it was, with a comment of ours. */
async function begin(streams?: ImportInput['streams']): Promise<ImportInput> {
  await situation.rows(sql`delete from repositories`);
  await mutate('repository.reset');
  ({ id: comment } = (await mutate('comment.add', { number: 12, raw: 'Here before' })) as { id: number });
  situation.simulator.clock.advance(BETWEEN_PAGES_MS);
  const input = await situation.startImport(await situation.repository(REPOSITORY));
  return streams === undefined ? input : { ...input, streams };
}

/** The real answers, in pages of other lengths; `behind` is told of each one's path before the next is asked for. */
const paged = (lengths: Record<List, number>, behind: (path: string) => Promise<void>): BitbucketClient => ({
  get: async ({ path, ...request }) => {
    const length = path?.includes(LISTS.activity) === true ? lengths.activity : lengths['pull requests'];
    const shorter = path?.replace(/pagelen=(50|100)/, `pagelen=${String(length)}`);
    const answer = await situation.bitbucket.get({
      ...request,
      ...(shorter === undefined ? {} : { path: shorter }),
    });
    await behind(path ?? request.next ?? '');
    return answer;
  },
});

async function expectExact(input: ImportInput, told: string): Promise<void> {
  expect(await situation.differences(), told).toBe('');
  for (const state of await situation.streamStates(input)) {
    const name = `${told} ${String(state['stream'])}`;
    expect(state, name).toMatchObject({ state: 'healthy', stored: state['expected'] });
  }
}

test(`three changes behind four pages, in every order and at every place: ${String(CASES.length)} cases, a sample of them unless asked for so many seeds`, async () => {
  expect(CASES).toHaveLength(2 * 6 * 5 * 4 * 20);
  await overSeeds(seeds(20), async (seed) => {
    const { list, changes, places } = CASES[(seed * STRIDE) % CASES.length]!;
    const told = `seed ${String(seed)}: ${list}, ${changes.map((name, at) => `${name} behind page ${String(places[at])}`).join(', ')}`;
    const input = await begin(['pull_requests', 'pull_request_activity', 'pull_request_comments']);
    let pages = 0;
    const made: string[] = [];
    const lengths = { 'pull requests': PULL_REQUESTS / PAGES, activity: Math.ceil((entries + 1) / PAGES) };
    const bitbucket = paged(lengths, async (path) => {
      if (!path.includes(LISTS[list])) return;
      pages += 1;
      if (pages > PAGES) return;
      situation.simulator.clock.advance(BETWEEN_PAGES_MS);
      for (const [index, name] of changes.entries()) {
        if (places[index] !== pages) continue;
        await CHANGES[name]!();
        made.push(name);
      }
    });
    await situation.importAll(input, { bitbucket, limits: { requests: 1_000 } });
    expect(made, told).toEqual(changes);
    await expectExact(input, told);
  });
});

/** One change of any kind, anywhere. */
async function anyChange(random: Random): Promise<string> {
  const number = 1 + below(random, PULL_REQUESTS);
  const ticket = 1 + below(random, 8);
  const title = `Edited ${String(random())}`;
  const all: [string, Record<string, unknown>][] = [
    ['pull_request.edit', { number, title }],
    ['pull_request.edit', { number, state: pick(random, ['MERGED', 'DECLINED', 'OPEN']) }],
    ['pull_request.create', { title: 'New', source: branch }],
    ['pull_request.approve', { number }],
    ['pull_request.request_changes', { number }],
    ['comment.add', { number, raw: 'Said meanwhile' }],
    ['comment.edit', { number: 12, comment, raw: `Other ${String(random())}` }],
    ['comment.delete', { number: 12, comment }],
    ['ticket.edit', { number: ticket, title }],
    ['ticket.comment', { number: ticket, raw: 'Said meanwhile' }],
    ['ticket.create', { title: 'New' }],
  ];
  const [kind, more] = pick(random, all);
  await mutate(kind, more);
  return `${kind} ${JSON.stringify(more)}`;
}

/** An import among up to twelve random changes; `rest` imports once more, when nothing changes any more. */
async function importAmongChanges(
  seed: number,
): Promise<{ input: ImportInput; told: string; rest: () => Promise<ImportInput> }> {
  const random = seededRandom(seed);
  const input = await begin();
  const done: string[] = [];
  const lengths = { 'pull requests': 3 + below(random, 10), activity: 5 + below(random, 40) };
  let isLong = false;
  const bitbucket = paged(lengths, async () => {
    // What changes within a quick walk is left to the next import.
    if (!isLong) situation.simulator.clock.advance(BETWEEN_PAGES_MS);
    isLong = true;
    if (done.length >= 12 || random() < 0.6) return;
    if (random() < 0.5) situation.simulator.clock.advance(Math.floor(random() * BETWEEN_PAGES_MS));
    done.push(await anyChange(random));
  });
  const limits = { requests: 1 + below(random, 20) };
  await situation.importAll(input, { bitbucket, limits });
  const told = `seed ${String(seed)}: ${done.join(', ')}`;
  expect(done.length, told).toBeGreaterThan(0);
  const rest = async () => {
    const next = await situation.startImport(input.repositoryId, 'changed');
    await situation.importAll(next, { bitbucket: paged(lengths, async () => {}), limits });
    return next;
  };
  return { input, told, rest };
}

test('random changes at random moments, in pages and chunks of any size', async () => {
  await overSeeds([...FAILED_ONCE, ...seeds(4)], async (seed) => {
    const { input, told } = await importAmongChanges(seed);
    await expectExact(input, told);
  });
});

test('what changes behind the last reading of its list, up to the very last answer, is found by the next import', async () => {
  await overSeeds([...LEFT_TO_THE_NEXT, ...seeds(4)], async (seed) => {
    const { told, rest } = await importAmongChanges(seed);
    await expectExact(await rest(), told);
  });
});
