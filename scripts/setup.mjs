/**
 * Makes a fresh checkout ready: Node's version, npm packages, the Temporal CLI.
 * Runs before `npm start` and `npm test`, so it must work before anything is installed: Node built-ins only,
 * and quiet and quick when nothing is to do. `--only=packages` leaves the Temporal CLI out.
 */
import { nodeVersionProblem } from './setup/nodeVersion.mjs';

/** @param {string} message */
const say = (message) => {
  process.stdout.write(`setup: ${message}\n`);
};

/** @param {string} message */
const fail = (message) => {
  process.stderr.write(`\nsetup: ${message}\n`);
  process.exitCode = 1;
};

const main = async () => {
  const problem = nodeVersionProblem(process.versions.node);
  if (problem !== undefined) return fail(problem);

  const unknown = process.argv.slice(2).filter((argument) => argument !== '--only=packages');
  if (unknown.length > 0) return fail(`unknown option ${unknown.join(' ')}; there is only --only=packages`);

  // Loaded late: an old Node must reach the message above, not a syntax error in these modules.
  const { fileURLToPath } = await import('node:url');
  const root = fileURLToPath(new URL('..', import.meta.url));
  const { ensurePackages } = await import('./setup/packages.mjs');
  await ensurePackages({ root, say });
  if (process.argv.includes('--only=packages')) return undefined;

  const { findTemporalCli } = await import('./setup/temporalCli.mjs');
  await findTemporalCli({ root, say });
  return undefined;
};

main().catch((error) => {
  fail(error instanceof Error ? error.message : String(error));
});
