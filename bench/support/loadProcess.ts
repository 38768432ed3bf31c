import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ROOT } from './stand.ts';

/** While a sender collects its garbage it sends nothing, and what it sends late counts as an answer that took long. */
const ROOMY = ['--initial-old-space-size=1024', '--max-semi-space-size=32'];

/** Sends or asks from a process of its own, with its input as JSON; answers what it printed, parsed. */
export async function runLoadProcess(
  folder: 'webhookLoad' | 'readLoad',
  input: object,
  environment: NodeJS.ProcessEnv = {},
): Promise<unknown> {
  const args = [...ROOMY, '--import', 'tsx', `bench/support/${folder}/main.ts`, JSON.stringify(input)];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: ROOT,
    env: { ...process.env, ...environment },
    maxBuffer: 64 * 1024 ** 2,
  });
  return JSON.parse(stdout);
}
