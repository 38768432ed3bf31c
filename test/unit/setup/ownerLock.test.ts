import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeOwnerLock, withOwnerLock } from '../../../scripts/setup/ownerLock.mjs';

const MODULE = fileURLToPath(new URL('../../../scripts/setup/ownerLock.mjs', import.meta.url));

/** Takes the lock in a process of its own, and notes in a journal when it enters and leaves. */
const HOLDER = `
  import { appendFileSync } from 'node:fs';
  import { setTimeout as sleep } from 'node:timers/promises';
  const [module, lock, journal, holdMs] = process.argv.slice(1);
  const { withOwnerLock } = await import(module);
  await withOwnerLock(lock, { onWait: (pid) => console.log('waits for ' + pid) }, async () => {
    appendFileSync(journal, 'in ' + process.pid + '\\n');
    console.log('in');
    await sleep(Number(holdMs));
    appendFileSync(journal, 'out ' + process.pid + '\\n');
  });
`;

describe('the lock of a process', () => {
  let folder: string;
  let lock: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'owner-lock-'));
    lock = join(folder, 'locks', 'build');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  function startHolder(holdMs: number): {
    said: (text: string) => Promise<void>;
    ended: Promise<unknown>;
    pid: number;
  } {
    const args = ['--input-type=module', '-e', HOLDER, MODULE, lock, join(folder, 'journal'), String(holdMs)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      child.emit('said');
    });
    const said = async (text: string): Promise<void> => {
      while (!output.includes(text)) await once(child, 'said');
    };
    return { said, ended: once(child, 'close'), pid: child.pid! };
  }

  it('is held by one of many processes at a time', async () => {
    const holders = Array.from({ length: 6 }, () => startHolder(30));
    await Promise.all(holders.map(({ ended }) => ended));
    const journal = (await readFile(join(folder, 'journal'), 'utf8')).trim().split('\n');
    expect(journal).toHaveLength(12);
    for (let line = 0; line < journal.length; line += 2) {
      expect(journal[line + 1]).toBe(journal[line]!.replace('in', 'out'));
    }
    expect(await readdir(join(folder, 'locks'))).toEqual([]);
  });

  it('tells a waiting process whom it waits for', async () => {
    const first = startHolder(600_000);
    await first.said('in');
    const second = startHolder(0);
    await expect(second.said(`waits for ${first.pid}`)).resolves.toBeUndefined();
    process.kill(first.pid, 'SIGKILL');
    await Promise.all([first.ended, second.ended]);
  });

  it('is taken over from a process that was killed, by one of those who wait', async () => {
    const killed = startHolder(600_000);
    await killed.said('in');
    const waiting = Array.from({ length: 4 }, () => startHolder(20));
    await Promise.all(waiting.map(({ said }) => said(`waits for ${killed.pid}`)));
    process.kill(killed.pid, 'SIGKILL');
    await Promise.all(waiting.map(({ ended }) => ended));
    const journal = (await readFile(join(folder, 'journal'), 'utf8')).trim().split('\n').slice(1);
    expect(journal).toHaveLength(8);
    for (let line = 0; line < journal.length; line += 2) {
      expect(journal[line + 1]).toBe(journal[line]!.replace('in', 'out'));
    }
  });

  async function leaveLock(owner: object, ageMs = 0): Promise<void> {
    await withOwnerLock(lock, {}, async () => {});
    await writeFile(lock, JSON.stringify(owner));
    const time = new Date(Date.now() - ageMs);
    await utimes(lock, time, time);
  }

  it.runIf(process.platform === 'linux')(
    'is free when its process number has gone to another process',
    async () => {
      await leaveLock({ pid: process.pid, host: hostname(), startedAt: '1' });
      expect(await withOwnerLock(lock, {}, async () => 'mine')).toBe('mine');
    },
  );

  it('is judged by its age when it was taken on another machine', async () => {
    await leaveLock({ pid: 1, host: 'elsewhere', startedAt: null }, 120_000);
    expect(await withOwnerLock(lock, {}, async () => 'mine')).toBe('mine');

    await leaveLock({ pid: 1, host: 'elsewhere', startedAt: null }, 10_000);
    let waitedFor = 0;
    const onWait = (pid: number): void => {
      waitedFor = pid;
      void rm(lock);
    };
    await withOwnerLock(lock, { onWait }, async () => {});
    expect(waitedFor).toBe(1);
  });

  it('is given back when the work fails', async () => {
    await expect(withOwnerLock(lock, {}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await withOwnerLock(lock, {}, async () => 'again')).toBe('again');
  });

  it('is kept by the process that takes it, and had by no other, itself included', async () => {
    expect(await takeOwnerLock(lock)).toBe(true);
    expect(await takeOwnerLock(lock)).toBe(false);
    const other = startHolder(0);
    await other.said(`waits for ${process.pid}`);
    await rm(lock);
    await other.ended;
    expect(await readdir(join(folder, 'locks'))).toEqual([]);
  });
});
