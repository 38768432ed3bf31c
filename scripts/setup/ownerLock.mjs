import { link, mkdir, open, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { readFileSync } from 'node:fs';

const POLL_MS = 200;
/** The owner touches its lock this often; a lock of another machine (a shared cache folder) is judged by that alone. */
const TOUCH_MS = 5_000;
const FOREIGN_STALE_MS = 60_000;
/** Taking over a dead lock is a matter of a few file operations; a guard older than this was left by a crash. */
const GUARD_STALE_MS = 10_000;

/** @typedef {{ pid: number, host: string, startedAt: string | null }} Owner */

/** @param {unknown} error @param {string} code */
const hasCode = (error, code) => error instanceof Error && 'code' in error && error.code === code;

/**
 * When a process started, in the kernel's ticks: tells a process from a later one with the same number.
 * Only Linux says it cheaply; elsewhere the number alone must do.
 * @param {number} pid
 * @returns {string | null}
 */
function startOf(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name (second field) may hold spaces and brackets, so count from its closing bracket.
    return fields.slice(fields.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** @param {Owner} owner @param {number} ageMs */
function isDead(owner, ageMs) {
  if (owner.host !== hostname()) return ageMs > FOREIGN_STALE_MS;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    // EPERM means that it lives and belongs to somebody else.
    return hasCode(error, 'ESRCH');
  }
  return owner.startedAt !== null && owner.startedAt !== startOf(owner.pid);
}

/**
 * @param {string} file
 * @returns {Promise<{ text: string, owner: Owner, ageMs: number } | undefined>} nothing when the lock is free
 */
async function readLock(file) {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(file, 'utf8'), stat(file)]);
    return { text, owner: JSON.parse(text), ageMs: Date.now() - mtimeMs };
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/**
 * Removes the lock of a dead owner. Only the holder of the guard may remove one, and only the very lock it judged:
 * otherwise of two waiters the slower one would remove the faster one's fresh lock.
 * @param {string} file
 * @param {string} judged the text of the lock found dead
 */
async function removeDead(file, judged) {
  const guard = `${file}.takeover`;
  try {
    await (await open(guard, 'wx')).close();
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    const left = await stat(guard).catch(() => undefined);
    if (left !== undefined && Date.now() - left.mtimeMs > GUARD_STALE_MS) await unlink(guard).catch(() => {});
    return;
  }
  try {
    const now = await readLock(file);
    if (now?.text === judged) await unlink(file);
  } finally {
    await unlink(guard);
  }
}

/**
 * Runs `work` while holding a lock file, so that of several processes only one does it at a time. The lock of a
 * process that died is taken over.
 * @template T
 * @param {string} file the lock file; its folder is made
 * @param {{ onWait?: (ownerPid: number) => void }} options `onWait` is called once when another process has the lock
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withOwnerLock(file, { onWait }, work) {
  const { own, text } = await writeOwner(file);
  try {
    await acquire(file, own, onWait);
  } finally {
    await unlink(own);
  }
  const touch = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => {});
  }, TOUCH_MS);
  touch.unref();
  try {
    return await work();
  } finally {
    clearInterval(touch);
    if ((await readLock(file))?.text === text) await unlink(file);
  }
}

/**
 * @param {string} file the lock file
 * @returns {Promise<number | undefined>} the living process that has it; nothing when it is free
 */
export async function ownerOf(file) {
  const held = await readLock(file);
  return held === undefined || isDead(held.owner, held.ageMs) ? undefined : held.owner.pid;
}

/**
 * Takes a lock file for as long as this process lives, for what belongs to a process and not to a piece of work. Whoever
 * comes after its end takes it over.
 * @param {string} file the lock file; its folder is made
 * @returns {Promise<boolean>} false when a living process has it, be it this one
 */
export async function takeOwnerLock(file) {
  const { own } = await writeOwner(file);
  try {
    return (await tryToTake(file, own)) === undefined;
  } finally {
    await unlink(own);
  }
}

/**
 * A complete lock text under another name: a link to it appears whole or not at all.
 * @param {string} file
 */
async function writeOwner(file) {
  await mkdir(dirname(file), { recursive: true });
  const own = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  /** @type {Owner} */
  const owner = { pid: process.pid, host: hostname(), startedAt: startOf(process.pid) };
  const text = `${JSON.stringify({ ...owner, lock: own })}\n`;
  await writeFile(own, text);
  return { own, text };
}

/**
 * @param {string} file
 * @param {string} own
 * @param {((ownerPid: number) => void) | undefined} onWait
 */
async function acquire(file, own, onWait) {
  let told = false;
  for (;;) {
    const owner = await tryToTake(file, own);
    if (owner === undefined) return;
    if (!told) onWait?.(owner.pid);
    told = true;
    await sleep(POLL_MS);
  }
}

/**
 * @param {string} file
 * @param {string} own
 * @returns {Promise<Owner | undefined>} the living process that has the lock; nothing when it is ours now
 */
async function tryToTake(file, own) {
  for (;;) {
    try {
      await link(own, file);
      return undefined;
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    const held = await readLock(file);
    if (held === undefined) continue;
    if (!isDead(held.owner, held.ageMs)) return held.owner;
    await removeDead(file, held.text);
  }
}
