import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    // Not Linux, or gone.
  }
  try {
    return execFileSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return '';
  }
}

/**
 * Clears the way for a server after the last one was killed. Postgres itself removes a stale `postmaster.pid`, except
 * where another process has got the number meanwhile, which is common in containers: then it refuses to start.
 * Throws when a Postgres really runs on this folder.
 */
export async function removeStalePostmasterPid(dataFolder: string): Promise<void> {
  const file = join(dataFolder, 'postmaster.pid');
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (content === undefined) return;
  const pid = Number.parseInt(content, 10);
  const command = commandLine(pid);
  if (command.includes('postgres') && command.includes(dataFolder)) {
    throw new Error(
      `A Postgres server (process ${pid}) already runs on ${dataFolder}: is this started twice? ` +
        `Stop the other one, or that process with: kill -INT ${pid}`,
    );
  }
  await rm(file, { force: true });
}
