import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * The project's folder for things that outlive a checkout, by the custom of the system (XDG base directories; on
 * macOS `Library/Caches`).
 * @param {NodeJS.ProcessEnv} env
 * @param {NodeJS.Platform} platform
 * @returns {string}
 */
export function cacheFolder(env, platform) {
  const home = env['HOME'] ?? homedir();
  const xdg = env['XDG_CACHE_HOME'];
  // The specification says that a relative path in the variable is to be ignored.
  if (xdg?.startsWith('/')) return join(xdg, 'bucket-brigade');
  if (platform === 'darwin') return join(home, 'Library', 'Caches', 'bucket-brigade');
  return join(home, '.cache', 'bucket-brigade');
}
