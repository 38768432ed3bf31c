import { execFile, spawn } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFailed, onTestFinished, test } from 'vitest';
import { createTestRepository, type TestRepository } from '../support/gitRepository.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);
let folder: string;
let data: string;
let repository: TestRepository;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'start-'));
  data = join(folder, 'data');
  repository = createTestRepository(join(folder, 'own-work'));
  let head = '';
  for (const number of [1, 2, 3]) {
    const tree = repository.tree([{ name: 'file', content: `${number}\n` }]);
    const by = `A <a@example.com> 170000000${number} +0000`;
    const parent = head === '' ? '' : `parent ${head}\n`;
    head = repository.object('commit', `tree ${tree}\n${parent}author ${by}\ncommitter ${by}\n\n${number}\n`);
  }
  repository.git(['update-ref', 'refs/heads/main', head]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

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

interface Named {
  readonly repository: string;
}

interface Start {
  readonly output: () => string;
  /** Resolves when this was printed; rejects when the start ends before. */
  readonly says: (text: string) => Promise<void>;
  readonly code: Promise<number | null>;
  /** As Ctrl-C does. */
  readonly interrupt: () => void;
}

/** Of each part that a start runs. */
async function lastLogLines(): Promise<string> {
  const logs = join(data, 'small', 'logs');
  const names = await readdir(logs).catch(() => []);
  const tails = names.map(async (name) => {
    const lines = (await readFile(join(logs, name), 'utf8')).trimEnd().split('\n');
    return `${name}:\n${lines.slice(-20).join('\n')}\n`;
  });
  return (await Promise.all(tails)).join('\n');
}

function npmStart(...args: string[]): Start {
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/start.ts', '--data', data, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  // A test whose time runs out tells nothing else.
  onTestFailed(async () => {
    process.stderr.write(`npm start ${args.join(' ')} said:\n${output}\n${await lastLogLines()}`);
  });
  // Nor is what it started left running.
  onTestFinished(() => void child.kill('SIGTERM'));
  const pieces = new EventEmitter();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
      pieces.emit('piece');
    });
  }
  const code = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const says = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve();
      };
      pieces.on('piece', look);
      look();
      void code.then(() => reject(new Error(`never said “${text}”:\n${output}`)));
    });
  return { output: () => output, says, code, interrupt: () => void child.kill('SIGINT') };
}

async function pidOf(script: string): Promise<number> {
  // Each has a watcher beside it, a shell that has the program's name among its arguments too.
  const found = (await processesOf(data)).find(
    ({ command }) => command.startsWith(process.execPath) && command.includes(script),
  );
  // Without the check a missing one would be 0: this process and all of its group.
  if (found === undefined) throw new Error(`No process runs ${script}.`);
  return found.pid;
}

/** A command run beside the start: how it ended and what it said. */
async function beside(script: string, ...args: string[]) {
  // Not the owner's URL of whoever runs the tests.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] };
  const done = run(process.execPath, ['--import', 'tsx', script, '--data', data, ...args], {
    cwd: ROOT,
    env,
  });
  return done.then(
    ({ stdout }) => ({ code: 0, said: stdout }),
    ({ code, stdout, stderr }) => ({ code, said: `${stdout}${stderr}` }),
  );
}

describe.skipIf(process.platform !== 'linux')('npm start', () => {
  test('does the main job though its worker is killed, ends with 0 and leaves nothing running', async () => {
    const file = join(folder, 'first.json');
    const start = npmStart('--exit-when-done', '--summary', file, '--repository', repository.path);
    await start.says('5. Import everything');
    process.kill(await pidOf('/worker.js'), 'SIGKILL');
    const code = await start.code;
    const output = start.output();
    expect(output).toContain('worker was killed by SIGKILL; starting it again (1 of 10)');
    expect(code, output).toBe(0);
    for (const finding of ['invalid_credentials', 'two_factor_required', 'check: ok, connected as']) {
      expect(output).toContain(finding);
    }
    const summary = JSON.parse(await readFile(file, 'utf8'));
    expect(summary).toMatchObject({ state: 'completed', exact: true });
    expect(summary.repositories.length).toBeGreaterThan(5);
    for (const { streams } of summary.repositories) {
      for (const { state, stored, expected } of streams)
        if (state === 'healthy') expect(stored).toBe(expected);
    }
    const own = summary.repositories.find(({ repository: name }: Named) => name === 'local/own-work');
    const commits = own?.streams.find(({ stream }: { stream: string }) => stream === 'commits');
    expect(commits?.stored).toBe(3);
    expect(summary.workerPeakMegabytes).toBeGreaterThan(50);
    expect(summary.workerPeakMegabytes).toBeLessThan(512);
    expect(summary.longestHistoryEvents).toBeGreaterThan(10);
    expect(summary.longestHistoryEvents).toBeLessThan(2_000);
    expect(output).toContain('9. A sync by hand');
    const { webhooks, change, service, sync } = summary.afterwards;
    expect(webhooks.workspaces).toBeGreaterThan(0);
    expect(service.records).toBeGreaterThan(0);
    for (const step of [webhooks, change, service, sync]) {
      expect(step.seconds).toBeGreaterThan(0);
      expect(step.requests).toBeGreaterThan(0);
    }
    expect(await processesOf(data)).toEqual([]);
  });

  test('is interrupted while a service is off, and leaves nothing running', async () => {
    let output: string;
    do {
      const start = npmStart();
      await start.says('7. Webhooks');
      // To look for it later took longer, on a busy machine, than the service was off.
      const host = await pidOf('/simulator/main.js');
      await start.says('8. A service is switched off');
      // Its next change at the host is not answered, so it goes no further than the service that is off.
      process.kill(host, 'SIGSTOP');
      await Promise.race([start.says('   off: '), start.says('interrupted while it was off')]);
      start.interrupt();
      await start.says('Stopping …');
      process.kill(host, 'SIGKILL');
      expect(await start.code, start.output()).toBe(0);
      expect(await processesOf(data)).toEqual([]);
      output = start.output();
      // The host was stopped too late, and the service is on again: once more.
    } while (output.includes('   meanwhile '));
  });

  test('goes on from the data of the last start, serves other commands, and ends when a server dies', async () => {
    const file = join(folder, 'second.json');
    const start = npmStart('--summary', file);
    await start.says('All of it stays up');
    expect(start.output()).toContain('is there already');
    expect(start.output()).toContain('the last start was interrupted while it was off');
    const summary = JSON.parse(await readFile(file, 'utf8'));
    expect(summary).toMatchObject({ state: 'completed', exact: true });
    expect(summary.repositories.map(({ repository: name }: Named) => name)).toContain('local/own-work');

    const verified = await beside('scripts/verify.ts');
    expect(verified).toMatchObject({ code: 0 });
    expect(verified.said).toContain('lost=0 extra=0 stale=0 duplicated=0 corrupted=0');
    const key = await beside('scripts/apiKey.ts', 'create', '--organization', 'acme', '--role', 'viewer');
    expect(key.said).toMatch(/^bb_[a-z0-9]{12}_[\w-]{43}$/m);
    const another = npmStart();
    expect(await another.code).toBe(1);
    expect(another.output()).toContain('Another start runs on');

    process.kill(await pidOf('/simulator/main.js'), 'SIGKILL');
    expect(await start.code).toBe(1);
    expect(start.output()).toMatch(
      /simulator was killed by SIGKILL. Its last lines \(all in .*simulator.log\)/,
    );
    expect(await processesOf(data)).toEqual([]);

    for (const script of ['scripts/verify.ts', 'scripts/apiKey.ts']) {
      const { code, said } = await beside(script, ...(script.endsWith('apiKey.ts') ? ['list'] : []));
      expect(code).toBeGreaterThan(0);
      expect(said).toContain('leave');
      expect(said).not.toMatch(/^ +at /m);
    }
  });
});
