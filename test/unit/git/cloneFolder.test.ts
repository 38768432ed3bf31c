import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type CloneFolder, createCloneFolder } from '../../../activities/git/cloneFolder.ts';
import { createOwner } from '../../../activities/git/owner.ts';

let folder: string;
let clones: CloneFolder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bucket-brigade-clones-'));
  clones = createCloneFolder({ folder, maxBytes: 1_000 });
});
afterEach(() => rmSync(folder, { recursive: true }));

const ready = () => readdirSync(join(folder, 'ready')).toSorted();
const busy = () => readdirSync(join(folder, 'busy'));

/** A clone of so many bytes, last used so many minutes ago. */
async function store(repositoryId: string, bytes: number, minutesAgo = 0): Promise<void> {
  const clone = await clones.take(repositoryId, 1);
  mkdirSync(clone.path, { recursive: true });
  writeFileSync(join(clone.path, 'pack'), Buffer.alloc(bytes));
  await clone.giveBack();
  const then = Date.now() / 1000 - minutesAgo * 60;
  utimesSync(join(folder, 'ready', repositoryId), then, then);
}

test('a clone that was given back is there for the next one, and for one at a time', async () => {
  const none = await clones.take('a', 1);
  expect(none.whole).toBe(false);
  await none.discard();
  await store('a', 10);
  const first = await clones.take('a', 2);
  const second = await clones.take('a', 3);
  expect([first.whole, second.whole]).toEqual([true, false]);
  expect(first.path).not.toBe(second.path);
  mkdirSync(second.path);
  await second.giveBack();
  await first.giveBack();
  expect([ready(), busy()]).toEqual([['a'], []]);
});

test('what a dead worker only read is ready again, what it wrote is removed, and what a living one holds stays', async () => {
  await store('a', 10);
  const me = createOwner().me;
  const [machine, pid, started] = me.split('-');
  const names = {
    mine: `x.${me}.1`,
    dead: `b.${machine}-4194303-1.1`,
    deadOnceMore: `a.${machine}-4194303-1.2`,
    deadWriting: `c.${machine}-4194303-1.1.unready`,
    reusedNumber: `d.${machine}-${pid}-${Number(started) + 1}.1`,
    living: `x.${machine}-1-0.1`,
    elsewhere: 'x.otherhost-1-1.1',
    abandoned: 'y.otherhost-1-1.1',
  };
  for (const name of Object.values(names)) mkdirSync(join(folder, 'busy', name));
  const longAgo = Date.now() / 1000 - 7_200;
  utimesSync(join(folder, 'busy', names.abandoned), longAgo, longAgo);
  const clone = await clones.take('b', 1);
  expect(clone.whole).toBe(true);
  await clone.discard();
  // `a` had one already; a process's number tells nothing of its age where there is no /proc
  expect(ready()).toEqual(process.platform === 'linux' ? ['a', 'd'] : ['a']);
  const kept = process.platform === 'linux' ? [] : [names.reusedNumber];
  expect(busy().toSorted()).toEqual([names.mine, names.living, names.elsewhere, ...kept].toSorted());
});

test('a clone lies elsewhere while it is written, and is given back even if that failed', async () => {
  const clone = await clones.take('a', 1);
  await clone.changing(async (path) => {
    mkdirSync(path);
    expect(busy()).toEqual([expect.stringMatching(/\.unready$/)]);
  });
  expect(busy()).toEqual([expect.not.stringMatching(/\.unready$/)]);
  const fetched = clone.changing(() => Promise.reject(new Error('no network')));
  await expect(fetched).rejects.toThrow('no network');
  await clone.giveBack();
  expect([ready(), busy()]).toEqual([['a'], []]);
  const again = await clones.take('a', 2);
  await again.clear();
  const cloned = again.changing(async (path) => {
    mkdirSync(path);
    throw new Error('half of it');
  });
  await expect(cloned).rejects.toThrow('half of it');
  await again.discard();
  expect([ready(), busy()]).toEqual([[], []]);
});

test('room is made by removing what was not used for longest, never what is in use', async () => {
  await store('old', 300, 30);
  await store('older', 300, 60);
  await store('new', 300, 1);
  const held = await clones.take('older', 2);
  await clones.makeRoom(50);
  expect(ready()).toEqual(['new', 'old']);
  await clones.makeRoom(200);
  expect(ready()).toEqual(['new']);
  await clones.makeRoom(Number.POSITIVE_INFINITY);
  expect(ready()).toEqual([]);
  expect(readdirSync(held.path)).toEqual(['pack']);
  await held.giveBack();
  expect([ready(), busy()]).toEqual([['older'], []]);
});

test('it is not measured again while what was measured leaves room for twice what is asked for', async () => {
  const mebibyte = 1_048_576;
  const options = { folder, maxBytes: 10 * mebibyte };
  clones = createCloneFolder(options);
  await clones.makeRoom(0);
  await store('grown', 20 * mebibyte);
  await clones.makeRoom(4 * mebibyte);
  expect(ready()).toEqual(['grown']);
  await clones.makeRoom(4 * mebibyte);
  expect(ready()).toEqual([]);

  await store('grown', 20 * mebibyte);
  clones = createCloneFolder({ ...options, measureEveryMs: 0 });
  for (let times = 0; times < 2; times += 1) {
    await clones.makeRoom(0);
    expect(ready()).toEqual([]);
    await store('grown', 20 * mebibyte);
  }
});

test('clones are held to the cap without one being made, with a look every so often', async () => {
  await store('old', 600, 30);
  await store('new', 600, 1);
  await clones.holdToCap();
  expect(ready()).toEqual(['new']);
  await store('old', 600, 30);
  await clones.holdToCap();
  expect(ready()).toEqual(['new', 'old']);
  clones = createCloneFolder({ folder, maxBytes: 1_000, measureEveryMs: 0 });
  for (let times = 0; times < 2; times += 1) {
    await clones.holdToCap();
    expect(ready()).toEqual(['new']);
    await store('old', 600, 30);
  }
});

test('a clone can be removed, and what a dead worker held of it goes too', async () => {
  await store('a', 10);
  await clones.remove('a');
  expect(ready()).toEqual([]);
  const [machine] = createOwner().me.split('-');
  mkdirSync(join(folder, 'busy', `a.${machine}-4194303-1.1`));
  await clones.remove('a');
  await (await clones.take('b', 1)).discard();
  expect([ready(), busy()]).toEqual([[], []]);
});

test('clones that nobody keeps go, also what a dead worker held of them; those in use stay until they are given back', async () => {
  for (const name of ['a', 'b', 'c']) await store(name, 10);
  const held = await clones.take('c', 1);
  const [machine] = createOwner().me.split('-');
  mkdirSync(join(folder, 'busy', `d.${machine}-4194303-1.1`));
  const kept = async (ids: string[]) => ids.filter((id) => id === 'a');
  expect(await clones.removeOthers(kept)).toBe(2);
  expect(ready()).toEqual(['a']);
  expect(busy()).toHaveLength(1);
  await held.giveBack();
  expect(await clones.removeOthers(kept)).toBe(1);
  expect([ready(), busy()]).toEqual([['a'], []]);
});
