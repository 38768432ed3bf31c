import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { createOwner } from './owner.ts';

export interface CloneFolderOptions {
  /** where clones lie; may be lost at any time, and shared with other workers */
  folder: string;
  /** least recently used clones go when all together are larger */
  maxBytes: number;
  /** how long what was measured is relied on; default a minute */
  measureEveryMs?: number;
}

export interface HeldClone {
  /** the bare repository, this activity's alone until `giveBack` or `discard` */
  readonly path: string;
  /** it was there whole; otherwise `path` does not exist yet */
  readonly whole: boolean;
  /**
   * Makes the clone, or brings it up to date, at another path: should this process die meanwhile, it is not taken for
   * whole. At `path` again when `change` is done; where that throws, `giveBack` or `discard` says what it is worth.
   */
  changing(change: (path: string) => Promise<void>): Promise<void>;
  /** Removes what is there; the place is kept. */
  clear(): Promise<void>;
  /** keeps it for the next activity */
  giveBack(): Promise<void>;
  discard(): Promise<void>;
}

export interface CloneFolder {
  /** Takes the clone of a repository, or a place to make one. `epoch` tells two attempts apart. */
  take(repositoryId: string, epoch: number): Promise<HeldClone>;
  /**
   * Removes unused clones, least recently used first, until `bytes` more fit under the cap; `Infinity`
   * removes all that are unused.
   */
  makeRoom(bytes: number): Promise<void>;
  /** The same before a clone grows by nobody knows how much: looks only now and then, so the cap may be passed meanwhile. */
  holdToCap(): Promise<void>;
  /** Removes a repository's clone unless it is in use. */
  remove(repositoryId: string): Promise<void>;
  /** Removes unused clones of repositories that `kept`, asked for some at once, does not name. Answers how many. */
  removeOthers(kept: (repositoryIds: string[]) => Promise<readonly string[]>): Promise<number>;
}

/** A clone in use on another machine is taken for abandoned after so long without a sign of life. */
const ABANDONED_AFTER_MS = 60 * 60 * 1000;
const SIGN_OF_LIFE_MS = 60_000;
/** To measure thousands of small clones before each further one would take longer than the clones. */
const MEASURE_EVERY_MS = 60_000;
/** Fetches add little and are many, and to measure 10,000 clones takes seconds: for them it is done so much more rarely. */
const RARER_FOR_FETCHES = 10;
/** A clone may become larger than the host says; between two measurings each counts as so many times that, and so much at least. */
const SAFETY = { factor: 2, leastBytes: 1_048_576 };

/** So many are asked about at once. */
const ASKED_AT_ONCE = 1_000;

/** Behind the name of a clone in `busy` that is not whole, or not yet. */
const UNREADY = '.unready';

/**
 * The cache of clones. `ready/<repository>` is whole and free; `busy/<repository>.<owner>.<epoch>` belongs to
 * one attempt of one activity, with `.unready` behind it while git writes there. A rename takes and gives back, so that
 * two can never hold the same clone: the second finds none and makes its own. What a dead worker only read is ready
 * again, since to clone a large repository anew takes minutes; what it was writing is removed.
 */
export function createCloneFolder(options: CloneFolderOptions): CloneFolder {
  const owner = createOwner();
  const ready = join(options.folder, 'ready');
  const busy = join(options.folder, 'busy');
  const measureEveryMs = options.measureEveryMs ?? MEASURE_EVERY_MS;
  /** what was free when it was last measured, less what was asked for since */
  let spare = { bytes: 0, untilMs: 0 };
  let nextLookMs = 0;

  async function take(repositoryId: string, epoch: number): Promise<HeldClone> {
    await mkdir(ready, { recursive: true, mode: 0o700 });
    await takeOver();
    const path = join(busy, [repositoryId, owner.me, epoch].join('.'));
    const unready = `${path}${UNREADY}`;
    const clear = async (): Promise<void> => {
      await Promise.all([path, unready].map((each) => rm(each, { recursive: true, force: true })));
    };
    await clear();
    const whole = await moved(join(ready, repositoryId), path);
    const alive = setInterval(() => void Promise.all([touch(path), touch(unready)]), SIGN_OF_LIFE_MS);
    alive.unref();
    return {
      path,
      whole,
      async changing(change) {
        await moved(path, unready);
        await change(unready);
        await rename(unready, path);
      },
      clear,
      async giveBack() {
        clearInterval(alive);
        await moved(unready, path);
        await touch(path);
        // another attempt gave one back meanwhile: one is enough
        if (!(await moved(path, join(ready, repositoryId)))) await rm(path, { recursive: true, force: true });
      },
      async discard() {
        clearInterval(alive);
        await clear();
      },
    };
  }

  /** Settles what others left behind. */
  async function takeOver(): Promise<void> {
    await mkdir(busy, { recursive: true, mode: 0o700 });
    for (const name of await readdir(busy)) {
      const [repositoryId = '', itsOwner = ''] = name.split('.');
      const state = owner.state(itsOwner);
      const path = join(busy, name);
      if (state === 'dead') {
        const isReady = !name.endsWith(UNREADY) && (await moved(path, join(ready, repositoryId)));
        if (!isReady) await rm(path, { recursive: true, force: true });
      } else if (state === 'elsewhere' && (await idleMs(path)) > ABANDONED_AFTER_MS) {
        await rm(path, { recursive: true, force: true });
      }
    }
  }

  async function makeRoom(bytes: number): Promise<void> {
    const asked = Math.max(bytes * SAFETY.factor, SAFETY.leastBytes);
    if (Date.now() < spare.untilMs && asked <= spare.bytes) spare.bytes -= asked;
    else await measure(bytes);
  }

  async function holdToCap(): Promise<void> {
    if (Date.now() < nextLookMs) return;
    // Before the look: whoever comes meanwhile does not look too.
    nextLookMs = Date.now() + measureEveryMs * RARER_FOR_FETCHES;
    await measure(0);
  }

  async function measure(bytes: number): Promise<void> {
    spare = { bytes: await measureAndEvict(bytes), untilMs: Date.now() + measureEveryMs };
  }

  /** Gives what is free then, without the `bytes`. */
  async function measureAndEvict(bytes: number): Promise<number> {
    await mkdir(ready, { recursive: true, mode: 0o700 });
    const clones = await Promise.all(
      (await readdir(ready)).map(async (name) => {
        const path = join(ready, name);
        return { path, bytes: await sizeOf(path), idleMs: await idleMs(path) };
      }),
    );
    let free = options.maxBytes - bytes - (await sizeOf(busy));
    for (const clone of clones) free -= clone.bytes;
    for (const clone of clones.toSorted((one, other) => other.idleMs - one.idleMs)) {
      if (free >= 0) break;
      await evict(clone.path);
      free += clone.bytes;
    }
    return free;
  }

  /** false: somebody has taken it meanwhile. */
  async function evict(path: string): Promise<boolean> {
    const doomed = join(busy, [`evicted-${process.hrtime.bigint()}`, owner.me, 0].join('.') + UNREADY);
    // renamed first: nobody may take a clone that is half removed
    const isOurs = await moved(path, doomed);
    if (isOurs) await rm(doomed, { recursive: true, force: true });
    return isOurs;
  }

  return {
    take,
    makeRoom,
    holdToCap,
    async remove(repositoryId) {
      await mkdir(ready, { recursive: true, mode: 0o700 });
      // Else what a dead worker held of it would be ready again later on.
      await takeOver();
      await rm(join(ready, repositoryId), { recursive: true, force: true });
    },
    async removeOthers(kept) {
      await mkdir(ready, { recursive: true, mode: 0o700 });
      await takeOver();
      const names = await readdir(ready);
      let removed = 0;
      for (let at = 0; at < names.length; at += ASKED_AT_ONCE) {
        const some = names.slice(at, at + ASKED_AT_ONCE);
        const keep = new Set(await kept(some));
        for (const name of some) if (!keep.has(name) && (await evict(join(ready, name)))) removed += 1;
      }
      return removed;
    },
  };
}

/** false: there is nothing to move, or something lies where it should go. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTEMPTY' || code === 'EEXIST') return false;
    throw error;
  }
}

async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}

async function idleMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined ? 0 : Date.now() - found.mtimeMs;
}

/** Bytes of all files below; what vanishes while it is counted counts nothing. */
async function sizeOf(path: string): Promise<number> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true }).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(
        async (entry) => (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0,
      ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
