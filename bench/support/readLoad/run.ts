import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from '../stand.ts';
import { type ReadInput, type ReadResult, readResult } from './input.ts';

/** Asks from a process of its own; answers what came back. */
export async function runReads(input: ReadInput, key: string): Promise<ReadResult> {
  const args = ['--import', 'tsx', 'bench/support/readLoad/main.ts', JSON.stringify(input)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    // Not among the arguments, which every process of the machine can read.
    env: { ...process.env, READ_KEY: key },
    maxBuffer: 64 * 1024 ** 2,
  });
  return readResult.parse(JSON.parse(stdout));
}
