import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ownerOf, withOwnerLock } from './ownerLock.mjs';
import { startLockOf } from './startLock.mjs';

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, link?: boolean }} LockedPackage */
/** @typedef {Record<string, LockedPackage>} LockedPackages */

/**
 * @param {string} file
 * @returns {Promise<LockedPackages | undefined>}
 */
async function readLockedPackages(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/**
 * Compares what is installed with what the lock file asks for. Both are npm's own records, and they are compared by
 * content: file times lie after a checkout, and after `npm install` the lock file is the younger of the two.
 * @param {LockedPackages} wanted `packages` of package-lock.json
 * @param {LockedPackages} installed `packages` of node_modules/.package-lock.json
 * @returns {string | undefined} the first difference in words, or nothing when they agree
 */
export function packageDifference(wanted, installed) {
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = installed[path];
    if (found === undefined) {
      // npm leaves out optional packages of other systems.
      if (entry.optional === true) continue;
      return `${path} is not installed`;
    }
    if (found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${path} is ${found.version}, and should be ${entry.version}`;
    }
  }
  const extra = Object.keys(installed).find((path) => wanted[path] === undefined);
  return extra === undefined ? undefined : `${extra} should not be installed`;
}

/**
 * @param {string} root the checkout
 * @returns {Promise<string | undefined>} why `npm ci` is needed, or nothing
 */
async function whyInstall(root) {
  const wanted = await readLockedPackages(join(root, 'package-lock.json'));
  if (wanted === undefined)
    throw new Error(`package-lock.json is missing or broken in ${root}; restore it with git.`);
  const installed = await readLockedPackages(join(root, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'node_modules is missing or half written';
  const difference = packageDifference(wanted, installed);
  return difference === undefined
    ? undefined
    : `node_modules is not what package-lock.json says: ${difference}`;
}

/**
 * Runs `npm ci` with its own output shown.
 * @param {string} root
 * @returns {Promise<void>}
 */
function npmCi(root) {
  // Under `npm start` npm says where it is itself; otherwise the one on the PATH.
  const npm = process.env['npm_execpath'];
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error'];
  const [command, commandArgs] = npm?.endsWith('npm-cli.js')
    ? [process.execPath, [npm, ...args]]
    : ['npm', args];
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArgs, { cwd: root, stdio: 'inherit' });
    child.on('error', (error) => reject(new Error(`npm could not be started: ${error.message}`)));
    child.on('close', (code, signal) => {
      if (code === 0) return resolve();
      return reject(
        new Error(
          `"npm ci" ended with ${signal ?? `code ${code}`}; its own message is above.\n` +
            '  To mend it: check that the npm registry can be reached (npm ping), then run the command again.',
        ),
      );
    });
  });
}

/**
 * Installs the npm packages when they are missing or differ from the lock file. Two at once do it once. Throws an Error
 * when that would take them from under a start of this checkout that runs: `npm ci` empties node_modules first.
 * @param {object} options
 * @param {string} options.root the checkout
 * @param {(message: string) => void} options.say
 * @param {(root: string) => Promise<void>} [options.install] replaces `npm ci` in tests
 * @returns {Promise<boolean>} whether anything was installed
 */
export async function ensurePackages({ root, say, install = npmCi }) {
  if ((await whyInstall(root)) === undefined) return false;
  const dataFolder = join(root, '.bucket-brigade');
  const lock = join(dataFolder, 'locks', 'packages');
  const onWait = (/** @type {number} */ pid) =>
    say(`process ${pid} is installing the npm packages; waiting for it.`);
  return withOwnerLock(lock, { onWait }, async () => {
    const reason = await whyInstall(root);
    if (reason === undefined) return false;
    const running = await ownerOf(startLockOf(dataFolder));
    if (running !== undefined) {
      throw new Error(
        `${reason}, and a start of this checkout runs that needs what is installed.\n` +
          `  To mend it: stop process ${running} first (Ctrl-C), then run the command again.`,
      );
    }
    say(`installing npm packages with "npm ci", about half a minute (${reason}).`);
    await install(root);
    const left = await whyInstall(root);
    if (left !== undefined) throw new Error(`"npm ci" ended well, and yet ${left}.`);
    return true;
  });
}
