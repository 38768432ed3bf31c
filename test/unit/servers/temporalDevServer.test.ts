import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startTemporal } from '../../../scripts/servers/temporalDevServer.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'temporal-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Stands for the CLI: counts its starts, prints, and ends. Answers how often it was started. */
async function startsOf(message: string): Promise<number> {
  const executable = join(folder, 'temporal');
  const starts = join(folder, 'starts');
  const panic = 'i=0; while [ $i -lt 60 ]; do echo "goroutine $i [running]"; i=$((i+1)); done';
  await writeFile(executable, `#!/bin/sh\necho >>${starts}\necho '${message}'\n${panic}\nexit 2\n`, {
    mode: 0o755,
  });
  const options = { executable, namespace: 'default', searchAttributes: [], log: () => {} };
  await expect(startTemporal(options)).rejects.toThrow(/goroutine 59/);
  return (await readFile(starts, 'utf8')).length;
}

test('a lost race for a port is tried again, however long the panic is that follows', async () => {
  expect(await startsOf('panic: listen tcp 127.0.0.1:7233: bind: address already in use')).toBe(5);
});

test('any other end is told at once', async () => {
  expect(await startsOf('panic: the disk is on fire')).toBe(1);
});
