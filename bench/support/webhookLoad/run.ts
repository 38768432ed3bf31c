import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from '../stand.ts';
import { type LoadInput, type LoadResult, loadResult } from './input.ts';

/** Sends deliveries from a process of its own; answers what came back. */
export async function runLoad(input: LoadInput): Promise<LoadResult> {
  const args = ['--import', 'tsx', 'bench/support/webhookLoad/main.ts', JSON.stringify(input)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    maxBuffer: 64 * 1024 ** 2,
  });
  return loadResult.parse(JSON.parse(stdout));
}
