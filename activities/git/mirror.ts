import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CloneFolder, HeldClone } from './cloneFolder.ts';
import { DiskFull, GitUnclear, readGitFailure, withoutNames } from './failures.ts';
import { GitFailed } from './gitFailed.ts';
import { ObjectMissing } from './objectParser.ts';
import type { Git } from './process.ts';
import type { GitLogin } from './credentialHelper.ts';

export interface Remote {
  /** without user name and password */
  url: string;
  login: GitLogin;
}

export interface MirrorRequest<T> {
  repositoryId: string;
  epoch: number;
  remote: Remote;
  /** what the clone will take, as far as known */
  expectedBytes: number;
  signal: AbortSignal;
  /** runs what talks to the host: each clone and each fetch */
  contact: <R>(run: () => Promise<R>) => Promise<R>;
  /** git's own words about its progress */
  onLine: (line: string) => void;
  /** reads the clone; nobody else changes it meanwhile. Once more, on one made anew, where it meets damage. */
  work: (folder: string) => Promise<T>;
}

/** Fetches exactly branches and tags; what vanished at the host vanishes here. */
const REFSPECS = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];

/**
 * Brings the clone of a repository up to date (or makes it) and runs `work` on it. A clone is a cache, never
 * state: one that git finds damaged is made anew, once; a full disk is first met by removing what nobody
 * uses. Throws GitFailed, ObjectMissing, or what `work` throws.
 */
export function createMirror({ git, clones }: { git: Git; clones: CloneFolder }) {
  async function withMirror<T>(request: MirrorRequest<T>): Promise<T> {
    const clone = await clones.take(request.repositoryId, request.epoch);
    const state = { whole: clone.whole };
    try {
      return await attempt(request, clone, state);
    } catch (error) {
      if (isDamage(error)) state.whole = false;
      throw error;
    } finally {
      await (state.whole ? clone.giveBack() : clone.discard());
    }
  }

  async function attempt<T>(
    request: MirrorRequest<T>,
    clone: HeldClone,
    state: { whole: boolean },
  ): Promise<T> {
    if (state.whole) {
      try {
        await clones.holdToCap();
        await clone.changing((path) => fetchInto(request, path));
        return await request.work(clone.path);
      } catch (error) {
        if (!isDamage(error)) throw error;
        state.whole = false;
        await clone.clear();
      }
    }
    await clones.makeRoom(request.expectedBytes);
    await clone.changing((path) => cloneInto(request, path));
    state.whole = true;
    return request.work(clone.path);
  }

  async function cloneInto<T>(request: MirrorRequest<T>, path: string): Promise<void> {
    const make = () =>
      request.contact(() =>
        git.text({
          args: [
            'clone',
            '--bare',
            '--progress',
            '--no-hardlinks',
            '--template=',
            '--',
            request.remote.url,
            path,
          ],
          login: request.remote.login,
          signal: request.signal,
          onLine: request.onLine,
        }),
      );
    await withRoom(make, () => rm(path, { recursive: true, force: true }));
  }

  async function fetchInto<T>(request: MirrorRequest<T>, path: string): Promise<void> {
    const update = () =>
      request.contact(() =>
        git.text({
          folder: path,
          args: [
            'fetch',
            '--prune',
            '--progress',
            '--force',
            '--no-tags',
            '--no-write-fetch-head',
            '--no-recurse-submodules',
            '--',
            request.remote.url,
            ...REFSPECS,
          ],
          login: request.remote.login,
          signal: request.signal,
          onLine: request.onLine,
        }),
      );
    await removeLeftovers(path);
    await withRoom(update, () => removeLeftovers(path));
  }

  /** On a full disk removes what the attempt left, and all that nobody uses, and tries once more. */
  async function withRoom(run: () => Promise<unknown>, clean: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      if (!(readGitFailure(error, '') instanceof DiskFull)) throw error;
      await clean();
      await clones.makeRoom(Number.POSITIVE_INFINITY);
      await run();
    }
  }

  return { withMirror };
}

/**
 * An attempt that was killed leaves locks and half packs; the clone is ours alone, so nobody else's are among
 * them. Half packs lie among the objects only: elsewhere people choose names, and `tmp_pack_old/a` is a good one for a
 * branch. None may end with `.lock` (git-check-ref-format).
 */
async function removeLeftovers(path: string): Promise<void> {
  const objects = join(path, 'objects');
  for (const entry of await readdir(path, { recursive: true, withFileTypes: true })) {
    const isHalf = entry.parentPath.startsWith(objects) && /^tmp_(?:pack|idx|obj|rev)_/.test(entry.name);
    if (entry.isFile() && (isHalf || entry.name.endsWith('.lock'))) {
      await rm(join(entry.parentPath, entry.name), { force: true });
    }
  }
}

/**
 * What git says of objects and refs that a crash or a bad disk left behind. What it says of the host, the network or a
 * full disk sounds alike at times (`Broken pipe`), and to clone anew would not help there.
 */
function isDamage(error: unknown): boolean {
  if (error instanceof ObjectMissing) return true;
  return (
    error instanceof GitFailed &&
    readGitFailure(error, '') instanceof GitUnclear &&
    /bad object|corrupt|is empty|unable to (?:read|open|lock)|unable to create .*file exists|not a git repository|missing|unresolved deltas|does not match|broken|inflate|packfile|cannot lock ref|could not remove reference|did not send all necessary objects|bad config line|unexpected line in/i.test(
      withoutNames(error.lastWords),
    )
  );
}
