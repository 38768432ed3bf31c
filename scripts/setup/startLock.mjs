import { join } from 'node:path';

/**
 * The lock that the start on a folder of local data holds for as long as it runs.
 * @param {string} dataFolder
 * @returns {string}
 */
export const startLockOf = (dataFolder) => join(dataFolder, 'start.lock');
