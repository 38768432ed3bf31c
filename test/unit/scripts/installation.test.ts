import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { AlreadyRunning, asOnlyStart, openInstallation } from '../../../scripts/start/installation.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'installation-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('a second start finds the passwords and the memory of the first', async () => {
  const first = await openInstallation(folder, false);
  await first.remember({ apiKey: 'key' });
  await first.remember({ integrationId: 'one' });
  const second = await openInstallation(folder, false);
  expect(second.passwords).toEqual(first.passwords);
  expect(second.memory).toEqual({ apiKey: 'key', integrationId: 'one' });
});

test('what holds passwords is for its owner only', async () => {
  await openInstallation(folder, false);
  expect((await stat(join(folder, 'start.json'))).mode & 0o077).toBe(0);
});

test('reset forgets everything but the lock of the start that runs', async () => {
  await asOnlyStart(folder, async () => {
    const before = await openInstallation(folder, false);
    await writeFile(join(folder, 'temporal.sqlite'), 'data');
    const after = await openInstallation(folder, true);
    expect(after.passwords).not.toEqual(before.passwords);
    expect((await readdir(folder)).toSorted()).toEqual(['start.json', 'start.lock']);
  });
});

test('two starts of one checkout: the second is refused and says which runs', async () => {
  await asOnlyStart(folder, async () => {
    const second = asOnlyStart(folder, async () => 'ran');
    await expect(second).rejects.toThrow(AlreadyRunning);
    await expect(second).rejects.toThrow(`process ${process.pid}`);
  });
  await expect(asOnlyStart(folder, async () => 'ran')).resolves.toBe('ran');
});
