import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ChildServer, startChild } from '../../../scripts/servers/childProcess.ts';
import { startReady } from '../../../scripts/servers/readyProcess.ts';
import { ServerNotReady } from '../../../scripts/servers/untilReady.ts';
import { createSupervisor, ServiceDied, type Supervisor } from '../../../scripts/start/supervisor.ts';

let logFolder: string;
let said: string[];
let supervisor: Supervisor;
const ended: string[] = [];

beforeEach(async () => {
  logFolder = await mkdtemp(join(tmpdir(), 'supervisor-'));
  said = [];
  ended.length = 0;
  supervisor = await createSupervisor({ logFolder, say: (line) => said.push(line) });
});

afterEach(async () => {
  await supervisor.stop();
  await rm(logFolder, { recursive: true, force: true });
});

/** A child that says hello and then waits, or ends by itself. */
function child(name: string, script: string) {
  return async (log: (line: string) => void): Promise<ChildServer> => {
    const service = await startChild({ command: '/bin/sh', args: ['-c', script], log });
    void service.exited.then(() => ended.push(name));
    return service;
  };
}
const waits = 'echo hello; exec sleep 600';

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a child that dies unasked is started again, and a line says so', async () => {
  const pids: number[] = [];
  let restarted: () => void = () => {};
  const second = new Promise<void>((resolve) => {
    restarted = resolve;
  });
  const start = child('worker', waits);
  const first = await supervisor.run(
    'worker',
    async (log) => {
      const service = await start(log);
      pids.push(service.pid);
      if (pids.length === 2) restarted();
      return service;
    },
    { restart: true },
  );
  await first.kill();
  await second;
  expect(pids).toHaveLength(2);
  expect(said).toEqual(['worker was killed by SIGKILL; starting it again (1 of 10)']);
});

test('one that dies while it starts again has died once more, and is started once more', async () => {
  const start = child('worker', waits);
  let starts = 0;
  let up: () => void = () => {};
  const upAgain = new Promise<void>((resolve) => {
    up = resolve;
  });
  const first = await supervisor.run(
    'worker',
    async (log) => {
      starts += 1;
      if (starts === 2) throw new ServerNotReady('worker', 'it was killed by SIGKILL', ['its last words']);
      const service = await start(log);
      if (starts === 3) up();
      return service;
    },
    { restart: true },
  );
  await first.kill();
  await upAgain;
  expect(said).toEqual([
    'worker was killed by SIGKILL; starting it again (1 of 10)',
    'worker did not get ready; starting it again (2 of 10)',
  ]);
});

test('the eleventh death ends the whole, with the last log lines', async () => {
  await supervisor.run('worker', child('worker', 'echo its last words; exit 3'), { restart: true });
  const failure = await supervisor.failed.catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(ServiceDied);
  expect(String(failure)).toMatch(/worker ended with code 3, after 10 restarts/);
  expect(String(failure)).toContain('its last words');
  expect(said).toHaveLength(10);
});

test('a child that may not die ends the whole at once', async () => {
  const service = await supervisor.run('postgres', child('postgres', waits));
  await service.kill();
  await expect(supervisor.failed).rejects.toThrow(/postgres was killed by SIGKILL/);
  expect(said).toEqual([]);
});

test('stopping ends all children, the last started first, and leaves none running', async () => {
  const first = await supervisor.run('first', child('first', waits));
  const second = await supervisor.run('second', child('second', waits), { restart: true });
  await supervisor.stop();
  expect(ended).toEqual(['second', 'first']);
  expect([alive(first.pid), alive(second.pid)]).toEqual([false, false]);
  expect(said).toEqual([]);
});

test('what still starts when all is stopped is given up, and its late lines are dropped', async () => {
  let late: (line: string) => void = () => {};
  let begun: () => void = () => {};
  const starts = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const order: string[] = [];
  const running = supervisor.run('api', async (log, signal): Promise<ChildServer> => {
    late = log;
    begun();
    await new Promise((resolve) => {
      signal.addEventListener('abort', resolve);
    });
    order.push('given up');
    throw new ServerNotReady('api', 'it was to stop before', []);
  });
  const refusal = running.catch((error: unknown) => error);
  await starts;
  await supervisor.stop();
  order.push('stopped');
  expect(String(await refusal)).toMatch(/was to stop/);
  expect(order).toEqual(['given up', 'stopped']);
  // Written after the end, it would raise an error that nobody catches.
  late('a late line');
  await expect(supervisor.run('worker', child('worker', waits))).rejects.toThrow(/being stopped/);
  await expect.poll(() => readFile(join(logFolder, 'api.log'), 'utf8')).toBe('');
});

test('a server that is not ready when the signal comes is stopped and not waited for', async () => {
  const signal = new AbortController();
  const log = (line: string): void => {
    if (line === 'hello') signal.abort();
  };
  const silent = { command: '/bin/sh', args: ['-c', waits], log };
  await expect(startReady('silent', 'http://127.0.0.1:1/', silent, signal.signal)).rejects.toThrow(
    /silent did not get ready: it was to stop before/,
  );
});

test('a log that cannot be written is said, and the child runs on', async () => {
  await mkdir(join(logFolder, 'talker.log'));
  const service = await supervisor.run('talker', child('talker', 'echo one; exec sleep 600'));
  await expect.poll(() => said.join()).toMatch(/talker.log cannot be written any more: EISDIR/);
  expect(alive(service.pid)).toBe(true);
  expect(supervisor.pidOf('talker')).toBe(service.pid);
});

test('what a child prints is in its log file', async () => {
  const service = await supervisor.run('talker', child('talker', 'echo one; echo two >&2; exec sleep 600'));
  await expect.poll(() => service.lastLines().length).toBe(2);
  await supervisor.stop();
  await expect.poll(() => readFile(join(logFolder, 'talker.log'), 'utf8')).toMatch(/one\n|two\n/);
});
