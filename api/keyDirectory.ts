import { LRUCache } from 'lru-cache';
import type { Database } from '../db/client.ts';
import { findApiKey, type FoundApiKey, readApiKey } from '../db/queries/api/apiKeys.ts';

export interface KeyDirectory {
  /** The key with this public prefix as Postgres has it now; null: none. */
  find(prefix: string): Promise<FoundApiKey | null>;
}

const MOST = 1_000;

/**
 * API keys by their public prefix. Kept is only whose key it is, which never changes: whether it still holds, and for
 * what, is read each time, so that a revoked key ends with the next request.
 */
export function createKeyDirectory(database: Database): KeyDirectory {
  const owners = new LRUCache<string, { organizationId: string; id: string }>({ max: MOST });
  return {
    async find(prefix) {
      const owner = owners.get(prefix) ?? (await findApiKey(database, prefix));
      if (owner === null) return null;
      const key = await readApiKey(database, owner);
      if (key === null) owners.delete(prefix);
      else owners.set(prefix, owner);
      return key;
    },
  };
}
