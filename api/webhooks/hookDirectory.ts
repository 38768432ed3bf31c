import { createSecretKey, type KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/client.ts';
import { findWebhook } from '../../db/queries/api/webhooks.ts';
import type { Secret } from '../../platform/secrets/secret.ts';
import { webhookSecret } from '../../platform/secrets/webhookSecret.ts';

/** A webhook that takes deliveries, with the secrets that may have signed them: two while one is rotated. */
export interface KnownHook {
  organizationId: string;
  webhookId: string;
  /** made ready once: to make a key of the text takes as long as to hash a small body */
  secrets: KeyObject[];
}

export interface HookDirectory {
  /** The hook whose URL ends with this token; null: none. */
  find(token: string): Promise<KnownHook | null>;
  /**
   * Reads it again, unless that was done within the last second: its secret may have been rotated since it was found, however
   * short a while ago, and forged deliveries must not cost a query each.
   */
  findAgain(token: string): Promise<KnownHook | null>;
}

const MOST = 10_000;
const KEPT_MS = 10_000;
const AGAIN_AFTER_MS = 1_000;

/** 32 bytes in base64url: nothing else is a token of ours. */
const TOKEN = /^[\w-]{43}$/;

/** Hooks by token. A found one is kept for ten seconds; an unknown token is looked up each time. */
export function createHookDirectory(database: Database, webhookKey: Secret): HookDirectory {
  const cache = new LRUCache<string, KnownHook>({
    max: MOST,
    ttl: KEPT_MS,
    async fetchMethod(token) {
      const hook = await findWebhook(database, token);
      if (hook === null) return undefined;
      const { organizationId, id: webhookId, integrationId, generation, takesPrevious } = hook;
      const generations = takesPrevious ? [generation, generation - 1] : [generation];
      const secrets = generations.map((each) =>
        createSecretKey(Buffer.from(webhookSecret(webhookKey, { integrationId, generation: each }))),
      );
      return { organizationId, webhookId, secrets };
    },
  });
  const readAgain = new LRUCache<string, true>({ max: MOST, ttl: AGAIN_AFTER_MS });

  return {
    find: async (token) => (TOKEN.test(token) ? ((await cache.fetch(token)) ?? null) : null),
    async findAgain(token) {
      if (!TOKEN.test(token)) return null;
      const forceRefresh = !readAgain.has(token);
      if (forceRefresh) readAgain.set(token, true);
      return (await cache.fetch(token, { forceRefresh })) ?? null;
    },
  };
}
