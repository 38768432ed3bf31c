import { access, chmod, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheFolder } from './cacheFolder.mjs';
import { withOwnerLock } from './ownerLock.mjs';
import { downloadTemporalCli } from './temporalDownload.mjs';
import { buildTemporalCli } from './temporalGoBuild.mjs';
import { TEMPORAL_CLI_VERSION, temporalVersion } from './temporalVersion.mjs';

/** @typedef {'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'download' | 'Go build'} Way */
/** @typedef {{ path: string, way: Way }} FoundCli */
/** @typedef {{ way: Way, problem: string, remedy: string }} FailedWay */

/**
 * @typedef {object} FindOptions
 * @property {string} [root] the checkout
 * @property {(message: string) => void} [say]
 * @property {NodeJS.ProcessEnv} [env]
 * @property {NodeJS.Platform} [platform]
 * @property {string} [architecture]
 * @property {import('./temporalDownload.mjs').Fetch} [fetchFile]
 */

/** @param {string} file */
const isExecutable = (file) =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );

/**
 * Finds the first `temporal` on the PATH, as a shell would.
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<string | undefined>}
 */
async function temporalOnPath(env) {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    const file = join(folder, 'temporal');
    if (folder !== '' && (await isExecutable(file))) return file;
  }
  return undefined;
}

/**
 * Puts an executable into the cache: made in a folder beside it, tried, and only then renamed to its name. A crash
 * leaves no half file under that name.
 * @param {string} cached
 * @param {NodeJS.ProcessEnv} env
 * @param {(folder: string) => Promise<string>} make
 */
async function fillCache(cached, env, make) {
  await mkdir(dirname(cached), { recursive: true });
  const folder = await mkdtemp(`${cached}.new-`);
  try {
    const executable = await make(folder);
    await chmod(executable, 0o755);
    const tried = await temporalVersion(executable, env);
    if ('problem' in tried) throw new Error(tried.problem);
    await rename(executable, cached);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @param {FailedWay[]} failed */
function noneWorks(failed) {
  const lines = failed.map(({ way, problem, remedy }) => `  ${way}: ${problem}.\n    To mend it: ${remedy}.`);
  return new Error(
    `no Temporal CLI could be found or made. One of these ways is enough:\n${lines.join('\n')}`,
  );
}

/**
 * @param {NodeJS.ProcessEnv} env
 * @param {FailedWay[]} failed filled with what was tried in vain
 * @param {(message: string) => void} say
 * @returns {Promise<FoundCli | undefined>}
 */
async function alreadyInstalled(env, failed, say) {
  const remedyPath = 'set it to a working temporal executable, or unset it';
  const named = env['TEMPORAL_CLI_PATH'];
  if (named === undefined || named === '') {
    failed.push({ way: 'TEMPORAL_CLI_PATH', problem: 'not set', remedy: 'set it to a temporal executable' });
  } else {
    const tried = await temporalVersion(named, env);
    if (!('problem' in tried)) return { path: named, way: 'TEMPORAL_CLI_PATH' };
    say(`TEMPORAL_CLI_PATH is of no use, trying other ways: ${tried.problem}.`);
    failed.push({ way: 'TEMPORAL_CLI_PATH', problem: tried.problem, remedy: remedyPath });
  }

  const remedyInstall = 'install it by https://docs.temporal.io/cli, and see that "temporal --version" works';
  const onPath = await temporalOnPath(env);
  if (onPath === undefined) {
    failed.push({ way: 'PATH', problem: 'there is no executable "temporal" on it', remedy: remedyInstall });
    return undefined;
  }
  const tried = await temporalVersion(onPath, env);
  if (!('problem' in tried)) return { path: onPath, way: 'PATH' };
  failed.push({ way: 'PATH', problem: tried.problem, remedy: remedyInstall });
  return undefined;
}

/**
 * Finds the Temporal CLI, which holds the dev server, or makes it. In this order: `TEMPORAL_CLI_PATH`, `temporal` on
 * the PATH, the cache folder, the official download, a build with Go. Whatever is made goes into the cache folder.
 * @param {FindOptions} [options]
 * @returns {Promise<FoundCli>} throws an Error that names each way, why it failed, and how to mend it
 */
export async function findTemporalCli({
  root = fileURLToPath(new URL('../..', import.meta.url)),
  say = () => {},
  env = process.env,
  platform = process.platform,
  architecture = process.arch,
  fetchFile = fetch,
} = {}) {
  /** @type {FailedWay[]} */
  const failed = [];
  const installed = await alreadyInstalled(env, failed, say);
  if (installed !== undefined) return installed;

  const name = `${TEMPORAL_CLI_VERSION}-${platform}-${architecture}`;
  const cached = join(cacheFolder(env, platform), 'temporal', name, 'temporal');
  // Not run to try it: only what has been tried is renamed to this name.
  if (await isExecutable(cached)) return { path: cached, way: 'cache' };
  const remedyCache = 'it is filled by the next two ways';
  failed.push({ way: 'cache', problem: `${cached} does not exist`, remedy: remedyCache });

  const onWait = (/** @type {number} */ pid) =>
    say(`process ${pid} is fetching or building the Temporal CLI; waiting for it.`);
  return withOwnerLock(`${cached}.lock`, { onWait }, async () => {
    if (await isExecutable(cached)) return { path: cached, way: 'cache' };
    try {
      say(`downloading the Temporal CLI ${TEMPORAL_CLI_VERSION}, about 45 MB.`);
      await fillCache(cached, env, (folder) =>
        downloadTemporalCli({ folder, platform, architecture, fetchFile }),
      );
      return { path: cached, way: 'download' };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      say(`the download failed, trying the next way: ${problem}.`);
      const remedy = 'let this machine reach https://github.com over HTTPS';
      failed.push({ way: 'download', problem, remedy });
    }
    try {
      await fillCache(cached, env, (folder) => buildTemporalCli({ root, folder, env, say }));
      return { path: cached, way: 'Go build' };
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const remedy =
        'install Go 1.26.4 or newer from https://go.dev/dl, and let it reach a Go module proxy (GOPROXY)';
      failed.push({ way: 'Go build', problem, remedy });
    }
    throw noneWorks(failed);
  });
}
