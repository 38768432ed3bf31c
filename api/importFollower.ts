import { holdsApiKey } from '../db/queries/api/apiKeys.ts';
import {
  findImportEvent,
  type ImportEvent,
  type ImportEventPlace,
  readImportEvents,
} from '../db/queries/api/importEvents.ts';
import type { ApiDependencies, Principal } from './dependencies.ts';
import { readImportDetail } from './importDetail.ts';
import { hasEnded } from './schemas/import.ts';
import type { ImportDetail } from './schemas/importDetail.ts';

const BATCH = 200;

export interface News {
  events: ImportEvent[];
  progress: ImportDetail;
  /** the import has ended and nothing more will come */
  done: boolean;
}

/**
 * Reads, call by call, what is new since an event, by its number in the import; an import that has not so many is told from
 * the beginning. null: the import is gone, or the key that follows it has ended.
 */
export function createImportFollower(
  { database }: ApiDependencies,
  { organizationId, apiKeyId }: Principal,
  { importId, lastEventId }: { importId: string; lastEventId: number },
): () => Promise<News | null> {
  // Where it stands; undefined: that is still to be looked up.
  let place: ImportEventPlace | null | undefined = lastEventId === 0 ? null : undefined;
  return async () => {
    const looked = await database.read(organizationId, async (tx) => {
      if (!(await holdsApiKey(tx, apiKeyId))) return null;
      // The state first: events that are written after it was read are then at least looked for once more.
      const progress = await readImportDetail(tx, importId);
      if (progress === null) return null;
      const after =
        place === undefined ? await findImportEvent(tx, { importId, ordinal: lastEventId }) : place;
      return { progress, after, ...(await readImportEvents(tx, { importId, after, limit: BATCH })) };
    });
    if (looked === null) return null;
    const { events, progress, pending } = looked;
    place = events.at(-1) ?? looked.after;
    return { events, progress, done: hasEnded(progress) && !pending };
  };
}
