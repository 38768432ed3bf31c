import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A temporary folder that is gone after the test. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'simulator-test-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Runs the machine's git as a user would, with nobody's settings, and returns what it prints. */
export function git(folder: string, args: string[], options: { date?: string; input?: string } = {}): string {
  const date = options.date ?? '2026-03-01T12:00:00+00:00';
  return execFileSync('git', args, {
    cwd: folder,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.input === undefined ? {} : { input: options.input }),
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: 'Ada',
      GIT_AUTHOR_EMAIL: 'ada@example.test',
      GIT_COMMITTER_NAME: 'Carl',
      GIT_COMMITTER_EMAIL: 'carl@example.test',
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_DATE: date,
    },
  });
}

/** Added lines, removed lines and files of every commit, as `git log` tells them. */
export function logCounts(repository: string): Map<string, [added: number, removed: number, files: number]> {
  const args = ['log', '--branches', '--tags', '-M', '--numstat', '--diff-merges=first-parent'];
  const counts = new Map<string, [number, number, number]>();
  let current: [number, number, number] = [0, 0, 0];
  for (const line of git(repository, [...args, '--format=commit %H']).split('\n')) {
    if (line.startsWith('commit ')) {
      current = [0, 0, 0];
      counts.set(line.slice(7), current);
    } else if (line !== '') {
      const [added, removed] = line.split('\t');
      current[0] += Number(added) || 0;
      current[1] += Number(removed) || 0;
      current[2] += 1;
    }
  }
  return counts;
}
