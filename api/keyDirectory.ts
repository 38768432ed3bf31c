import { LRUCache } from 'lru-cache';
import type { Database } from '../db/client.ts';
import { findApiKey, type FoundApiKey, readApiKey } from '../db/queries/api/apiKeys.ts';

export interface KeyDirectory {
  /** The key with this public prefix as Postgres had it, `KEPT_MS` ago at most; null: none. */
  find(prefix: string): Promise<FoundApiKey | null>;
}

const MOST = 1_000;

/**
 * How long what was read of a key is gone by: a revoked or expired one ends within a second (reliability.md S16). A backend
 * sends its requests with one key, and looking it up for each was a third of Postgres' statements.
 */
const KEPT_MS = 900;

export function createKeyDirectory(database: Database): KeyDirectory {
  /** Whose key it is never changes. */
  const owners = new LRUCache<string, { organizationId: string; id: string }>({ max: MOST });
  const known = new LRUCache<string, FoundApiKey>({ max: MOST, ttl: KEPT_MS });
  return {
    async find(prefix) {
      const kept = known.get(prefix);
      if (kept !== undefined) return kept;
      const asked = performance.now();
      const owner = owners.get(prefix) ?? (await findApiKey(database, prefix));
      if (owner === null) return null;
      const key = await readApiKey(database, owner);
      if (key === null) {
        owners.delete(prefix);
        return null;
      }
      owners.set(prefix, owner);
      // Counted from before it was read, however long that took.
      known.set(prefix, key, { start: asked });
      return key;
    },
  };
}
