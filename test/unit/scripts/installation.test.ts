import { readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as immediately } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlreadyRunning, asOnlyStart, openInstallation } from '../../../scripts/start/installation.ts';
import { readLastStart } from '../../../scripts/start/lastStart.ts';
import { servedRepositories } from '../../../scripts/start/servedRepositories.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installation-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const keep = { reset: false };

test('a second start finds the passwords and the memory of the first', async () => {
  const first = await openInstallation(folder, 'small', keep);
  await first.remember({ apiKey: 'key' });
  await first.remember({ integrationId: 'one' });
  const second = await openInstallation(folder, 'small', keep);
  expect(second.passwords).toEqual(first.passwords);
  expect(second.memory).toEqual({ apiKey: 'key', integrationId: 'one' });
});

test('sources share nothing: neither a size with another, nor the simulator with Bitbucket', async () => {
  const small = await openInstallation(folder, 'small', keep);
  await small.remember({ apiKey: 'key', integrationId: 'one' });
  for (const source of ['medium', 'bitbucket'] as const) {
    const other = await openInstallation(folder, source, keep);
    expect(other.memory).toEqual({});
    for (const place of ['postgres', 'temporalDatabase', 'simulator', 'clones', 'keys', 'logs'] as const) {
      expect(other[place]).not.toBe(small[place]);
    }
  }
});

test('what holds passwords is for its owner only', async () => {
  await openInstallation(folder, 'small', keep);
  expect((await stat(join(folder, 'small', 'start.json'))).mode & 0o077).toBe(0);
});

test('reset forgets this source and no other, and leaves the lock of the start that runs', async () => {
  await asOnlyStart(folder, async () => {
    const other = await openInstallation(folder, 'bitbucket', keep);
    const before = await openInstallation(folder, 'small', keep);
    await writeFile(before.temporalDatabase, 'data');
    const after = await openInstallation(folder, 'small', { reset: true });
    expect(after.passwords).not.toEqual(before.passwords);
    expect(await readdir(after.folder)).toEqual(['start.json']);
    expect((await openInstallation(folder, 'bitbucket', keep)).passwords).toEqual(other.passwords);
    expect(await readdir(folder)).toContain('start.lock');
  });
});

/** In one system call: the folder may be renamed at any moment. */
function countIn(path: string): number {
  try {
    return readdirSync(path).length;
  } catch {
    return 0;
  }
}

test('at each moment of a reset the whole installation is there, or nothing of it', async () => {
  const before = await openInstallation(folder, 'small', keep);
  const names = Array.from({ length: 300 }, (_, n) => String(n));
  for (const name of names) await mkdir(join(before.simulator, name, 'in', 'it'), { recursive: true });
  const seen = new Set<number>();
  const run = { isOver: false };
  const resetting = openInstallation(folder, 'small', { reset: true }).finally(() => (run.isOver = true));
  while (!run.isOver) {
    seen.add(countIn(before.simulator));
    await immediately();
  }
  await resetting;
  expect([...seen]).toEqual([names.length, 0]);
});

test('what a reset left that was cut off goes with the next start', async () => {
  const { folder: own } = await openInstallation(folder, 'small', keep);
  await rename(own, `${own}.removed`);
  await openInstallation(folder, 'small', keep);
  expect(await readdir(folder)).toEqual(['last-start.json', 'small']);
});

test('what the last start remembers is read without writing anything', async () => {
  const nowhere = join(folder, 'nowhere');
  expect(await readLastStart(nowhere)).toBeUndefined();
  expect(await readdir(folder)).toEqual([]);
  await (await openInstallation(folder, 'medium', keep)).remember({ simulator: 'http://of-medium' });
  await (await openInstallation(folder, 'small', keep)).remember({ simulator: 'http://of-small' });
  const written = async () => (await stat(join(folder, 'small', 'start.json'))).mtimeMs;
  const before = await written();
  expect(await readLastStart(folder)).toEqual({ simulator: 'http://of-small' });
  expect(await written()).toBe(before);
});

test('a repository that was served once is served again, in its old place', async () => {
  const [first, second] = [join(folder, 'b', 'same'), join(folder, 'a', 'same')];
  for (const path of [first, second]) await mkdir(path, { recursive: true });
  const served = await servedRepositories([], [first]);
  expect(await servedRepositories(served, [second, `${first}/../same`])).toEqual([first, second]);
  expect(await servedRepositories(served, [])).toEqual([first]);
  await rm(first, { recursive: true });
  await expect(servedRepositories(served, [])).rejects.toThrow(/not there any more.*--reset/);
  await expect(servedRepositories([], [first])).rejects.toThrow(/--repository .* is not there/);
});

test('two starts of one checkout: the second is refused and says which runs', async () => {
  await asOnlyStart(folder, async () => {
    const second = asOnlyStart(folder, async () => 'ran');
    await expect(second).rejects.toThrow(AlreadyRunning);
    await expect(second).rejects.toThrow(`process ${process.pid}`);
  });
  await expect(asOnlyStart(folder, async () => 'ran')).resolves.toBe('ran');
});
