import { z } from 'zod';
import type { CloneFolder } from '../activities/git/cloneFolder.ts';
import type { Database } from '../db/client.ts';
import { selectFetched } from '../db/queries/fetchedRepositories.ts';
import type { Logger } from '../platform/log.ts';
import { startRepeating } from './repeat.ts';

const EVERY_MS = 10 * 60_000;

export interface SweepClonesOptions {
  database: Database;
  /** of this worker */
  clones: Pick<CloneFolder, 'removeOthers'>;
  log: Logger;
  everyMs?: number;
}

/**
 * Removes this worker's clones of repositories that no integration fetches any more, at once and then every ten minutes.
 * Whoever removes an integration or a repository can do so on its own disk only. Answers how to stop.
 */
export function startSweepingClones(options: SweepClonesOptions): () => Promise<void> {
  const { log, everyMs = EVERY_MS } = options;
  return startRepeating({
    everyMs,
    log,
    failed: 'Clones could not be looked through; tried again in ten minutes',
    async round() {
      const clones = await sweepClones(options);
      if (clones > 0)
        log.info({ clones }, 'Clones of repositories that are not fetched any more were removed');
    },
  });
}

/** One pass; how many went. What has not the name of a repository stays. */
export const sweepClones = ({
  database,
  clones,
}: Pick<SweepClonesOptions, 'database' | 'clones'>): Promise<number> =>
  clones.removeOthers(async (names) => {
    const ids = names.filter((name) => isUuid(name));
    const fetched = await database.withoutTenant((tx) => selectFetched(tx, ids));
    return [...fetched, ...names.filter((name) => !isUuid(name))];
  });

const isUuid = (name: string): boolean => z.guid().safeParse(name).success;
