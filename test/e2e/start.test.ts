import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Processes of this start: whatever has its data folder in its environment or arguments. Linux only. */
async function processesOf(mark: string): Promise<{ pid: number; command: string }[]> {
  const found: { pid: number; command: string }[] = [];
  for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
    const command = (await read('cmdline')).replaceAll('\0', ' ');
    const alive = await readlink(`/proc/${pid}/exe`).catch(() => '');
    if (alive !== '' && `${command}${await read('environ')}`.includes(mark))
      found.push({ pid: Number(pid), command });
  }
  return found;
}

test.skipIf(process.platform !== 'linux')(
  'npm start does the main job though its worker is killed, ends with 0 and leaves nothing running',
  async () => {
    const summaryFile = join(folder, 'summary.json');
    const data = join(folder, 'data');
    const start = spawn(
      process.execPath,
      ['--import', 'tsx', 'scripts/start.ts', '--exit-when-done', '--data', data, '--summary', summaryFile],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let output = '';
    let killed: Promise<void> | undefined;
    const killWorker = async (): Promise<void> => {
      const worker = (await processesOf(data)).find(({ command }) => command.includes('worker.ts'));
      process.kill(worker?.pid ?? 0, 'SIGKILL');
    };
    for (const stream of [start.stdout, start.stderr]) {
      stream.setEncoding('utf8').on('data', (piece: string) => {
        output += piece;
        if (output.includes('5. Import everything')) killed ??= killWorker();
      });
    }
    const code = await new Promise<number | null>((resolve) => {
      start.once('exit', resolve);
    });
    await killed;
    expect(output).toContain('worker was killed by SIGKILL; starting it again (1 of 10)');
    expect(code, output).toBe(0);
    for (const finding of ['invalid_credentials', 'two_factor_required', 'check: ok, connected as']) {
      expect(output).toContain(finding);
    }
    const summary = JSON.parse(await readFile(summaryFile, 'utf8'));
    expect(summary).toMatchObject({ state: 'completed', exact: true });
    expect(summary.repositories.length).toBeGreaterThan(5);
    for (const { streams } of summary.repositories) {
      for (const { state, stored, expected } of streams)
        if (state === 'healthy') expect(stored).toBe(expected);
    }
    expect(await processesOf(data)).toEqual([]);
  },
);
