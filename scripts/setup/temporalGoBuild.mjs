import { join } from 'node:path';
import { runCommand } from './runCommand.mjs';

const PACKAGE = 'github.com/temporalio/cli/cmd/temporal';
const STILL_BUILDING_MS = 60_000;
/** Six minutes on two cores with an empty module cache; a slow line may need several times that. */
const BUILD_TIMEOUT_MS = 45 * 60_000;

/**
 * Builds the CLI from `tools/temporal`, whose go.mod and go.sum pin it and all it is made of. The Go module proxy is
 * enough, so this works on a machine that reaches only package registries.
 * @param {object} options
 * @param {string} options.root the checkout
 * @param {string} options.folder where the executable is put
 * @param {NodeJS.ProcessEnv} options.env
 * @param {(message: string) => void} options.say
 * @returns {Promise<string>} the executable; throws an Error that says why there is none
 */
export async function buildTemporalCli({ root, folder, env, say }) {
  const go = await runCommand('go', ['version'], { env, timeoutMs: 15_000 });
  if (!go.ok) throw new Error(`Go is not there: ${go.reason}`);

  say(`building the Temporal CLI with Go, about 6 minutes the first time (${go.output.trim()}).`);
  const executable = join(folder, 'temporal');
  const started = Date.now();
  const timer = setInterval(() => {
    say(`still building, ${Math.round((Date.now() - started) / 60_000)} min so far.`);
  }, STILL_BUILDING_MS);
  try {
    const built = await runCommand(
      'go',
      ['build', '-mod=readonly', '-ldflags', '-s -w', '-o', executable, PACKAGE],
      {
        cwd: join(root, 'tools', 'temporal'),
        env: { ...env, CGO_ENABLED: '0' },
        timeoutMs: BUILD_TIMEOUT_MS,
      },
    );
    if (!built.ok) throw new Error(`"go build" in tools/temporal failed: ${built.reason}`);
  } finally {
    clearInterval(timer);
  }
  say(`built in ${Math.round((Date.now() - started) / 1000)} s.`);
  return executable;
}
