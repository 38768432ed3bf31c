import type { LaunchedProcess } from '../../launcher/launchedProcess.ts';
import type { GitProcesses } from './gitProcess.ts';

export interface GitObject {
  hash: string;
  type: string;
  data: Buffer;
}

/** One long-lived `git cat-file --batch`: answers come in the order of the questions. */
export interface ObjectReader {
  /** By full hash or hash expression such as `abcd^{commit}`; undefined when missing or ambiguous. Never pass a user's text other than hex. */
  read(expression: string): Promise<GitObject | undefined>;
  close(): void;
}

interface Waiter {
  resolve(object: GitObject | undefined): void;
  reject(error: Error): void;
}

export function createObjectReader(processes: GitProcesses, repository: string): ObjectReader {
  const waiters: Waiter[] = [];
  let child: Promise<LaunchedProcess> | undefined;
  let pending: Buffer = Buffer.alloc(0);

  function started(): Promise<LaunchedProcess> {
    if (child) return child;
    const starting = processes.start(['--git-dir', repository, 'cat-file', '--batch']);
    child = starting;
    pending = Buffer.alloc(0);
    const fail = () => {
      if (child !== starting) return;
      child = undefined;
      for (const waiter of waiters.splice(0)) waiter.reject(new Error('git cat-file ended unexpectedly'));
    };
    starting.then((batch) => {
      batch.stdout.on('data', (chunk: Buffer) => {
        pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
        drain();
      });
      batch.stderr.resume();
      batch.ended.then(fail, fail);
    }, fail);
    return starting;
  }

  function drain(): void {
    let at = 0;
    while (waiters.length > 0) {
      const lineEnd = pending.indexOf(10, at);
      if (lineEnd === -1) break;
      const [hash = '', type = '', size] = pending.toString('latin1', at, lineEnd).split(' ');
      if (size === undefined) {
        waiters.shift()?.resolve(undefined);
        at = lineEnd + 1;
        continue;
      }
      const dataEnd = lineEnd + 1 + Number(size);
      if (pending.length < dataEnd + 1) break;
      waiters.shift()?.resolve({ hash, type, data: pending.subarray(lineEnd + 1, dataEnd) });
      at = dataEnd + 1;
    }
    if (at > 0) pending = pending.subarray(at);
  }

  return {
    read: (expression) =>
      new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        // In the order of asking; a failure to start rejects all that wait.
        started().then(
          ({ stdin }) => void stdin.write(`${expression}\n`),
          () => {},
        );
      }),
    close: () => {
      child?.then(
        ({ stdin }) => void stdin.end(),
        () => {},
      );
    },
  };
}

/**
 * Readers of many repositories, of which only the `limit` last used keep a process:
 * a host may have hundreds of repositories.
 */
export function createObjectReaders(
  processes: GitProcesses,
  limit = 8,
): { of(repository: string): ObjectReader; forget(repository: string): void } {
  const readers = new Map<string, ObjectReader>();
  function forget(repository: string): void {
    readers.get(repository)?.close();
    readers.delete(repository);
  }
  function of(repository: string): ObjectReader {
    const reader = readers.get(repository) ?? createObjectReader(processes, repository);
    readers.delete(repository);
    readers.set(repository, reader);
    const oldest = readers.keys().next().value;
    if (readers.size > limit && oldest !== undefined) forget(oldest);
    return reader;
  }
  return { of, forget };
}
