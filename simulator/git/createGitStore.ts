import { cp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { adoptRepository } from './adopt.ts';
import { pageOfWalk, readCommit, walkCommits } from './commitLog.ts';
import { sidesOfMerges } from './derivePullRequests.ts';
import { createDiffstats } from './diffstat.ts';
import { forgetGenerated, generateRepository } from './generate.ts';
import { createGitProcesses } from './gitProcess.ts';
import { changeRepository } from './mutate.ts';
import { createObjectReaders } from './objectReader.ts';
import { createRecentlyUsed } from './recentlyUsed.ts';
import { readRefs } from './refs.ts';
import { createRefsAnswers } from './refsAnswers.ts';
import { resolveRevision, resolveRevisions } from './revisions.ts';
import type { DiffstatRecord, GitStore, RefRecord } from './store.ts';
import { truthOf } from './truth.ts';

/** What is remembered of a repository until it changes. */
interface Snapshot {
  path: string;
  /** Part of every cache key; counts up with each change. */
  version: number;
  refs: RefRecord[];
  /** Commits whose parents are not here, where a shallow repository was adopted. */
  shallow: ReadonlySet<string>;
}

/**
 * A store of bare repositories in `folder`, which may keep what an earlier store made there. Needs git 2.32 or
 * later in one of the folders of `path` (PATH). `cache`: a folder where generated repositories are kept for other stores too.
 */
export function createGitStore(options: { folder: string; path: string; cache?: string }): GitStore {
  const { folder, cache } = options;
  const processes = createGitProcesses(options);
  const readers = createObjectReaders(processes);
  const walks = createRecentlyUsed<Buffer>(32);
  const diffstats = createDiffstats(processes);
  const recentDiffstats = createRecentlyUsed<DiffstatRecord[]>(64);
  const sides = createRecentlyUsed<ReadonlyMap<string, string[]>>(16);
  const answerGit = createRefsAnswers(processes);
  const snapshots = new Map<string, Promise<Snapshot>>();
  const changes = new Map<string, Promise<unknown>>();
  let versions = 0;

  function directoryOf(key: string): string {
    if (!/^[\w-][\w.-]*$/.test(key)) throw new Error(`Not a name for a repository of the store: ${key}`);
    return `${key}.git`;
  }

  const pathOf = (key: string) => join(folder, directoryOf(key));

  function snapshotOf(key: string): Promise<Snapshot> {
    const known = snapshots.get(key);
    if (known) return known;
    const path = pathOf(key);
    versions += 1;
    const version = versions;
    const made = Promise.all([readRefs(processes, readers.of(path), path), readShallow(path)]).then(
      ([refs, shallow]) => ({ path, version, refs, shallow }),
    );
    snapshots.set(key, made);
    made.catch(() => snapshots.delete(key));
    return made;
  }

  function forget(key: string): void {
    snapshots.delete(key);
    readers.forget(pathOf(key));
  }

  /** One change of a repository after another. */
  function inTurn<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    const before = changes.get(key) ?? Promise.resolve();
    const result = before.then(work, work).finally(() => forget(key));
    changes.set(
      key,
      result.catch(() => {}),
    );
    return result;
  }

  return {
    generate: (spec) => inTurn(spec.key, () => generateRepository(processes, pathOf(spec.key), spec, cache)),

    adopt: ({ key, path }) => inTurn(key, () => adoptRepository(processes, pathOf(key), key, path)),

    copy: (key, as) =>
      inTurn(as, async () => {
        // What an earlier store left there has other refs.
        await rm(pathOf(as), { recursive: true, force: true });
        await cp(pathOf(key), pathOf(as), { recursive: true });
      }),

    async commits(key, query) {
      const { path, version, refs, shallow } = await snapshotOf(key);
      const reader = readers.of(path);
      const include = await resolveRevisions(reader, refs, query.include);
      const exclude = await resolveRevisions(reader, refs, query.exclude);
      if (refs.length === 0 && include.length === 0) return [];
      const walk = { include, exclude, ...(query.path === undefined ? {} : { path: query.path }) };
      const hashes = await walks.get(JSON.stringify([key, version, walk]), () =>
        walkCommits(processes, path, walk),
      );
      return Promise.all(
        pageOfWalk(hashes, query.skip, query.limit).map((hash) => readCommit(reader, shallow, hash)),
      );
    },

    async commit(key, rev) {
      const { path, refs, shallow } = await snapshotOf(key);
      const reader = readers.of(path);
      const hash = await resolveRevision(reader, refs, rev);
      return hash === undefined ? undefined : readCommit(reader, shallow, hash);
    },

    refs: async (key) => (await snapshotOf(key)).refs,

    async diffstat(key, spec, { skip, limit, ...how }) {
      const { path, version, refs } = await snapshotOf(key);
      const [source = '', destination] = spec.split('..');
      const names = destination === undefined ? [source] : [source, destination];
      const hashes = await resolveRevisions(readers.of(path), refs, names);
      const rows = await recentDiffstats.get(JSON.stringify([key, version, hashes, how]), () =>
        diffstats.of(path, hashes, how),
      );
      return { size: rows.length, rows: rows.slice(skip, skip + limit) };
    },

    async *truth(key) {
      const { path, refs, shallow } = await snapshotOf(key);
      yield* truthOf(processes, path, refs, shallow);
    },

    async sidesOfMerges(key, branch) {
      const { path, version, refs } = await snapshotOf(key);
      const tip = refs.find((ref) => ref.kind === 'branch' && ref.name === branch)?.target;
      if (tip === undefined) return new Map();
      return sides.get(JSON.stringify([key, version, branch]), () => sidesOfMerges(processes, path, tip));
    },

    mutate: (key, change) =>
      inTurn(key, async () => {
        const { refs } = await snapshotOf(key);
        await forgetGenerated(pathOf(key));
        return changeRepository(processes, pathOf(key), refs, change);
      }),

    async handle(request, response, key, subPath) {
      const { version } = await snapshotOf(key);
      await answerGit({ folder, directory: directoryOf(key), version }, request, response, subPath);
    },

    close: () => processes.close(),
  };
}

async function readShallow(path: string): Promise<ReadonlySet<string>> {
  try {
    return new Set((await readFile(join(path, 'shallow'), 'utf8')).split('\n').filter((line) => line !== ''));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return new Set();
    throw error;
  }
}
