import { runCommand } from './runCommand.mjs';

/** The CLI that is downloaded or built; `tools/temporal/go.mod` names the same one. */
export const TEMPORAL_CLI_VERSION = '1.8.2';

/** Older servers lack what the engine relies on (matching fairness, update-with-start as used here). */
const OLDEST_SERVER = [1, 30, 3];

/** @param {readonly number[]} version */
const isTooOld = (version) => {
  for (const [index, oldest] of OLDEST_SERVER.entries()) {
    const part = version[index] ?? 0;
    if (part !== oldest) return part < oldest;
  }
  return false;
};

/**
 * Runs `temporal --version` and judges the server inside.
 * @param {string} executable a path, or a name on the PATH
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<{ version: string } | { problem: string }>} `version` is the whole line
 */
export async function temporalVersion(executable, env) {
  const { ok, output, reason } = await runCommand(executable, ['--version'], { env, timeoutMs: 15_000 });
  if (!ok) return { problem: `"${executable} --version" does not work: ${reason}` };
  const version = output.trim().split('\n')[0] ?? '';
  const server = /\bServer (\d+)\.(\d+)\.(\d+)/.exec(version);
  if (server === null) return { problem: `"${executable} --version" names no server version: ${version}` };
  if (isTooOld(server.slice(1).map(Number))) {
    return {
      problem: `${executable} brings server ${server[0].slice(7)}; ${OLDEST_SERVER.join('.')} or newer is needed`,
    };
  }
  return { version };
}
