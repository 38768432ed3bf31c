import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import type { ImportMode } from '../../../workflows/words.ts';
import { createSituation, type ImportInput, type Situation } from './situation.ts';

const REPOSITORY = 'acme-rockets/launch-scripts';
const COMMENTED = 2;

let situation: Situation;
let repositoryId: string;
/** a branch that a new pull request can come from */
let branch: string;
beforeAll(async () => {
  situation = await createSituation({ size: 'small' });
  repositoryId = await situation.repository(REPOSITORY);
  const truth = await fetch(`${situation.simulator.url}/_simulator/state`);
  const records = (await truth.text())
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>);
  const repository = records.find((record) => record['full_name'] === REPOSITORY)?.['repository'];
  const found = records.find(
    (record) =>
      record['kind'] === 'branch' && record['repository'] === repository && record['name'] !== 'main',
  );
  branch = found?.['name'] ?? '';
});
afterAll(() => situation.close());

const mutate = (kind: string, more: Record<string, unknown> = {}) =>
  situation.simulator.mutate({ kind, repository: REPOSITORY, ...more });

/** A comment of ours, there before the import begins. */
async function ownComment(): Promise<number> {
  const added = (await mutate('comment.add', { number: COMMENTED, raw: 'Here before' })) as { id: number };
  return added.id;
}

/** Calls `hook` behind each answer, with the request's path; counts the requests. */
function watching(hook: (path: string) => Promise<void>): BitbucketClient & { paths: string[] } {
  const paths: string[] = [];
  return {
    paths,
    get: async (request) => {
      const answer = await situation.bitbucket.get(request);
      const path = decodeURIComponent(request.path ?? request.next ?? '');
      paths.push(path);
      await hook(path);
      return answer;
    },
  };
}

const isLate = (path: string): boolean => /issues\/\d+\/changes/.test(path);

// Longer than what a walk reaches back behind its watermark, so that no overlap hides a gap.
const PAST_OVERLAP_MS = 20 * 60_000;
const passTime = (): void => situation.simulator.clock.advance(PAST_OVERLAP_MS);

/** Imports with a change placed when the last stream is read, and the host's clock moved so that it was no quick walk. */
async function importWithLate(
  change: () => Promise<unknown>,
  mode: ImportMode = 'full',
): Promise<{ input: ImportInput; paths: string[] }> {
  if (mode === 'full') await situation.rows(sql`delete from streams`);
  const input = await situation.startImport(repositoryId, mode);
  let done = false;
  const bitbucket = watching(async (path) => {
    if (done || !isLate(path)) return;
    done = true;
    passTime();
    await change();
    passTime();
  });
  const chunks = await situation.importAll(input, { bitbucket, limits: { requests: 1_000 } });
  expect(chunks).toHaveLength(1);
  expect(done).toBe(true);
  return { input, paths: bitbucket.paths };
}

async function expectExact(input: ImportInput): Promise<void> {
  expect(await situation.differences()).toBe('');
  for (const state of await situation.streamStates(input)) {
    expect(state, String(state['stream'])).toMatchObject({ state: 'healthy', stored: state['expected'] });
  }
}

/** What was asked for behind the last stream: the end of each path. */
const closingOf = (paths: string[]): string[] =>
  paths
    .slice(paths.findLastIndex(isLate) + 1)
    .map((path) => path.replace(/^.*\/launch-scripts\/|\?.*$/g, ''));

// First, while nothing has changed yet.
describe('what it costs', () => {
  test.each([
    ['one chunk', 1_000],
    ['many chunks', 1],
  ])('a quick walk in %s asks for nothing again', async (_, requests) => {
    await situation.rows(sql`delete from streams`);
    const bitbucket = watching(async () => {});
    const input = await situation.startImport(repositoryId);
    await situation.importAll(input, { bitbucket, limits: { requests } });
    expect(bitbucket.paths.some(isLate)).toBe(true);
    expect(bitbucket.paths.length).toBeLessThanOrEqual(25);
    expect(closingOf(bitbucket.paths)).toEqual([]);
  });

  test('one that another import began long before is no quick one', async () => {
    await situation.rows(sql`delete from streams`);
    await situation.chunk(await situation.startImport(repositoryId), { limits: { requests: 2 } });
    const inHand = await situation.rows(sql`select stream from streams where position is not null`);
    expect(inHand).toMatchObject([{ stream: 'pull_request_activity' }]);
    passTime();
    const bitbucket = watching(async () => {});
    const input = await situation.startImport(repositoryId);
    await situation.importAll(input, { bitbucket });
    expect(closingOf(bitbucket.paths)).toEqual(['pullrequests', 'pullrequests/activity', 'issues']);
    await expectExact(input);
  });

  test('a longer walk behind which nothing changed: three requests, one for each list', async () => {
    const { paths, input } = await importWithLate(async () => {});
    expect(closingOf(paths)).toEqual(['pullrequests', 'pullrequests/activity', 'issues']);
    await expectExact(input);
  });

  test('a longer walk of many chunks reads all lists again once, however small its chunks are', async () => {
    await situation.rows(sql`delete from streams`);
    const input = await situation.startImport(repositoryId, 'full');
    await situation.chunk(input, { limits: { requests: 1 } });
    passTime();
    const bitbucket = watching(async () => {});
    await situation.importAll(input, { bitbucket, limits: { requests: 1 } });
    expect(closingOf(bitbucket.paths)).toEqual(['pullrequests', 'pullrequests/activity', 'issues']);
    await expectExact(input);
  });

  test('a host that never rests: ten rounds, then the import ends', async () => {
    await situation.rows(sql`delete from streams`);
    const input = await situation.startImport(repositoryId, 'full');
    let edits = 0;
    const bitbucket = watching(async (path) => {
      if (!path.includes('/issues?')) return;
      edits += 1;
      passTime();
      await mutate('pull_request.edit', { number: 3, title: `Edited ${String(edits)}` });
    });
    await situation.importAll(input, { bitbucket, limits: { requests: 1_000 } });
    expect(bitbucket.paths.filter((path) => path.includes('/pullrequests?')).length).toBe(1 + 10);
  });
});

describe('what changes in a stream that has ended is found by the same import', () => {
  let comment = 0;
  beforeAll(async () => {
    comment = await ownComment();
  });

  test.each<[string, () => Promise<unknown>]>([
    ['a pull request is edited', () => mutate('pull_request.edit', { number: 3, title: 'Edited late' })],
    ['a pull request is opened', () => mutate('pull_request.create', { title: 'Late', source: branch })],
    ['a pull request is approved', () => mutate('pull_request.approve', { number: 4 })],
    ['changes are requested', () => mutate('pull_request.request_changes', { number: 5 })],
    ['a comment is added', () => mutate('comment.add', { number: 6, raw: 'Late' })],
    ['a comment is edited', () => mutate('comment.edit', { number: COMMENTED, comment, raw: 'Edited late' })],
    ['a comment is deleted', () => mutate('comment.delete', { number: COMMENTED, comment })],
    ['a ticket is edited', () => mutate('ticket.edit', { number: 1, title: 'Edited late' })],
    ['a comment is added to a ticket', () => mutate('ticket.comment', { number: 1, raw: 'Late' })],
  ])('%s', async (_, change) => {
    const { input } = await importWithLate(change);
    await expectExact(input);
  });
});

test('a record in quarantine that every round meets again counts once', async () => {
  await situation.rows(sql`delete from streams`);
  await mutate('pull_request.edit', { number: 8, title: 'Edited before' });
  const input = await situation.startImport(repositoryId, 'full');
  const bitbucket: BitbucketClient = {
    get: async (request) => {
      const answer = await situation.bitbucket.get(request);
      const text = Buffer.from(answer.bytes).toString('utf8').replace('"title":"Edited before"', '"title":8');
      return { ...answer, json: JSON.parse(text) as unknown, bytes: new TextEncoder().encode(text) };
    },
  };
  const list: ImportInput = { ...input, streams: ['pull_requests'] };
  situation.simulator.journal.clear();
  await situation.chunk(list, { bitbucket, limits: { requests: 1 } });
  passTime();
  await situation.importAll(list, { bitbucket, limits: { requests: 1 } });
  const asked = situation.simulator.journal.since(0).filter(({ path }) => path.includes('updated_on'));
  expect(asked.length).toBeGreaterThan(0);
  expect(await situation.streamStates(input)).toMatchObject([{ stream: 'pull_requests', quarantined: 1 }]);
  await situation.importAll(await situation.startImport(repositoryId, 'full'));
  expect(await situation.rows(sql`select record_key from quarantine`)).toHaveLength(0);
});

describe('a walk that another import takes over', () => {
  /** The first import breaks off at this path; then somebody changes what its walk has passed; then the next one comes. */
  async function takenOver(
    mode: ImportMode,
    { at, change }: { at: RegExp; change: () => Promise<unknown> },
  ): Promise<ImportInput> {
    const bitbucket: BitbucketClient = {
      get: async (request) => {
        if (at.test(request.path ?? '')) throw new Error('cancelled');
        return situation.bitbucket.get(request);
      },
    };
    const first = await situation.startImport(repositoryId, mode);
    await expect(situation.importAll(first, { bitbucket })).rejects.toThrow('cancelled');
    passTime();
    await change();
    passTime();
    const next = await situation.startImport(repositoryId);
    await situation.importAll(next);
    return next;
  }

  test('a ticket that it has passed and that changed since is read again', async () => {
    for (const number of [1, 2]) await mutate('ticket.comment', { number, raw: 'Here before' });
    passTime();
    await situation.rows(sql`delete from streams`);
    const next = await takenOver('full', {
      at: /issues\/2\/comments/,
      change: () => mutate('ticket.comment', { number: 1, raw: 'Behind the walk' }),
    });
    await expectExact(next);
  });

  test('comments of a pull request that it has passed, edited since, are read again', async () => {
    const comment = await ownComment();
    const other = (await mutate('comment.add', { number: 6, raw: 'Here before' })) as { id: number };
    // Off the first page of the feed, which would show them as they are now.
    for (let index = 0; index < 60; index += 1) await mutate('comment.add', { number: 7, raw: 'More' });
    passTime();
    await importWithLate(async () => {});
    const edit = (raw: string) => mutate('comment.edit', { number: COMMENTED, comment, raw });
    await edit('Edited');
    await mutate('comment.edit', { number: 6, comment: other.id, raw: 'Edited' });
    const next = await takenOver('changed', {
      at: /pullrequests\/6\/comments/,
      change: () => edit('Edited behind the walk'),
    });
    await expectExact(next);
  });
});

describe('a crash inside a closing round', () => {
  test('goes on where it was: no list is read again, no record counted twice', async () => {
    await situation.rows(sql`delete from streams`);
    const input = await situation.startImport(repositoryId, 'full');
    let late = false;
    let crashed = false;
    const bitbucket = watching(async (path) => {
      if (isLate(path) && !late) {
        late = true;
        passTime();
        await mutate('pull_request.create', { title: 'Late', source: branch });
        await mutate('ticket.comment', { number: 2, raw: 'Late' });
      }
      if (late && !crashed && path.includes('/pullrequests/activity')) {
        crashed = true;
        throw new Error('the worker dies');
      }
    });
    const options = { bitbucket, limits: { requests: 1_000 } };
    await expect(situation.chunk(input, options)).rejects.toThrow('the worker dies');
    const before = bitbucket.paths.length;
    await situation.importAll(input, options);
    // On with the feed that the crash lost; the pull requests were stored. Then the round that finds nothing.
    expect(bitbucket.paths[before]).toContain('/pullrequests/activity');
    const lists = bitbucket.paths.slice(before).filter((path) => path.includes('/pullrequests?'));
    expect(lists).toHaveLength(1);
    await expectExact(input);
  });
});

describe('an import of what changed', () => {
  test('counts what came while it ran, once', async () => {
    const { input } = await importWithLate(async () => {});
    for (const number of [3, 4]) await mutate('ticket.edit', { number, title: 'Edited before' });
    const count = async () =>
      Number((await situation.rows(sql`select count(*)::int as n from pull_requests`))[0]?.['n']);
    const before = await count();
    const late = async () => {
      await mutate('pull_request.create', { title: 'Late', source: branch });
      await mutate('pull_request.edit', { number: 3, title: 'Edited late' });
    };
    passTime();
    const next = await importWithLate(late, 'changed');
    expect(next.input.importId).not.toBe(input.importId);
    await expectExact(next.input);
    expect(await count()).toBe(before + 1);
    const states = await situation.streamStates(next.input);
    expect(states.find(({ stream }) => stream === 'pull_requests')).toMatchObject({ stored: 1 });
  });

  test('comments that have no watermark are as new as the last walk of the whole feed, not as what it read since', async () => {
    const comment = await ownComment();
    // Off the first page of the feed, which would show it as it is now.
    for (let index = 0; index < 60; index += 1) await mutate('comment.add', { number: 7, raw: 'More' });
    passTime();
    await importWithLate(async () => {});
    // As an import leaves them whose comments did not add up.
    await situation.rows(sql`update streams set watermark = null where stream = 'pull_request_comments'`);
    await mutate('comment.edit', { number: COMMENTED, comment, raw: 'Edited since' });
    passTime();
    const input = await situation.startImport(repositoryId);
    await situation.importAll(input);
    expect(await situation.differences()).toBe('');
  });

  test('what falls between the list of the pull requests and that of their comments is found by the next round', async () => {
    const comment = await ownComment();
    // Off the first page of the feed, which would show it as it is now.
    for (let index = 0; index < 60; index += 1) await mutate('comment.add', { number: 7, raw: 'More' });
    await mutate('ticket.comment', { number: 4, raw: 'Here before' });
    passTime();
    const seen = new Set<string>();
    const once = async (what: string, change: () => Promise<unknown>): Promise<void> => {
      if (seen.has(what)) return;
      seen.add(what);
      passTime();
      await change();
      passTime();
    };
    await importWithLate(async () => {});
    const input = await situation.startImport(repositoryId);
    const bitbucket = watching(async (path) => {
      if (path.includes('/pullrequests?')) {
        await once('comment', () =>
          mutate('comment.edit', { number: COMMENTED, comment, raw: 'In between' }),
        );
      }
      if (path.includes('/issues?')) {
        await once('ticket', () => mutate('ticket.comment', { number: 4, raw: 'In between' }));
      }
    });
    await situation.importAll(input, { bitbucket });
    expect([...seen]).toEqual(['comment', 'ticket']);
    await expectExact(input);
  });
});
