import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { HEAP } from '../../../scripts/start/heap.ts';
import type { Connection } from '../connection.ts';
import { simulatorCredential } from '../simulatorAccess.ts';
import { ROOT, type Stand } from '../stand.ts';

export interface BareRun {
  parts: readonly ('git' | 'pull_requests')[];
  cpuProfile?: string | undefined;
}

const output = z.object({ seconds: z.number() });

/** Runs the bare loop over the one repository that a connection has discovered; answers the seconds it took. */
export async function runBareLoop(
  stand: Stand,
  { api, organizationId, integrationId }: Connection,
  { parts, cpuProfile }: BareRun,
): Promise<number> {
  const [repository] = (await api.repositories(integrationId, { limit: 1 })).data;
  if (repository === undefined) throw new Error('The connection sees no repository.');
  const { login, secret } = await simulatorCredential(stand.simulator);
  const input = {
    simulator: stand.simulator,
    login,
    secret,
    databaseUrl: stand.workerUrl,
    organizationId,
    repositoryId: repository.id,
    fullName: repository.full_name,
    folder: await mkdtemp(join(stand.folder, 'bare-loop-')),
    parts,
  };
  const profiling = cpuProfile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProfile}`];
  const args = [
    ...HEAP,
    ...profiling,
    '--import',
    'tsx',
    'bench/support/bareLoop/main.ts',
    JSON.stringify(input),
  ];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return output.parse(JSON.parse(stdout)).seconds;
}
