import { z } from 'zod';
import type { Asker } from './asker.ts';
import type { BitbucketClient, BitbucketWriter, CredentialRef } from './client.ts';
import { segment } from './connectionCheck/target.ts';
import { walkPages } from './paging.ts';
import { unreadable } from './readJson.ts';
import { repositoryPath } from './repositoryPath.ts';
import { hookEventSchema, hookSchema } from './schemas.ts';

/** What a hook hangs on. One of a workspace fires for all of its repositories (facts 5.1). */
export type HookSubject =
  | { kind: 'workspace'; slug: string }
  /** by its uuid alone: it may have moved, and a slug that was renamed may be another repository's by now */
  | { kind: 'repository'; uuid: string };

export interface Hook {
  /** in braces */
  uuid: string;
  url: string;
  active: boolean;
  /** in Bitbucket's order, which says nothing */
  events: string[];
  secretSet: boolean;
}

/** What of a hook is set. The secret is never read back: Bitbucket shows only whether there is one. */
export interface HookSettings {
  description: string;
  url: string;
  active: true;
  events: string[];
  secret: string;
}

export interface Hooks {
  /** All hooks of a subject, everybody's. Forbidden or ScopeMissing: the account may not look, and so not create. */
  list(subject: HookSubject): Promise<Hook[]>;
  /** Like every write, it may have been done although no answer came: list before creating again. */
  create(subject: HookSubject, settings: HookSettings): Promise<Pick<Hook, 'uuid'>>;
  /** What is left out stays as it is, the secret too. */
  update(subject: HookSubject, uuid: string, settings: Partial<HookSettings>): Promise<void>;
  remove(subject: HookSubject, uuid: string): Promise<void>;
  /**
   * The event keys that a subject of this kind may subscribe to, as Bitbucket lists them now. It lists some always: none
   * are an answer that cannot be read.
   */
  eventsFor(kind: HookSubject['kind']): Promise<string[]>;
}

/** The longest that a call waits for the request limit; more is for the workflow's timer. */
const MAX_WAIT_MS = 20_000;

/** Bitbucket's webhooks, seen with one credential. Throws what the client throws. */
export function createHooks(options: {
  client: BitbucketClient & BitbucketWriter;
  credential: CredentialRef;
  asker: Asker;
  signal: AbortSignal;
  /** as of `BitbucketRequest` */
  evenIfRefused?: boolean;
}): Hooks {
  const { client, credential, asker, signal, evenIfRefused = false } = options;
  const common = { credential, asker, signal, maxWaitMs: MAX_WAIT_MS, evenIfRefused };

  async function listAll<T>(path: string, schema: z.ZodType<T>): Promise<T[]> {
    const all: T[] = [];
    let size: number | null = null;
    const pages = walkPages({
      start: { path: `${path}?pagelen=100` },
      get: (place) => client.get({ ...common, ...place }),
      maxPages: 100,
    });
    for await (const page of pages) {
      const parsed = z.array(schema).safeParse(page.values);
      if (!parsed.success) throw unreadable(path, 'lists something that cannot be read');
      all.push(...parsed.data);
      ({ size } = page);
    }
    if (all.length < (size ?? 0)) throw unreadable(path, 'is cut short: it ends before its own size');
    return all;
  }

  return {
    async list(subject) {
      const hooks = await listAll(hooksOf(subject), hookSchema);
      return hooks.map(({ secret_set: secretSet, ...hook }) => ({ ...hook, secretSet }));
    },

    async create(subject, settings) {
      const path = hooksOf(subject);
      const parsed = hookSchema.safeParse(
        await client.write({ ...common, method: 'POST', path, body: { ...settings } }),
      );
      if (!parsed.success) throw unreadable(path, 'does not show the webhook that was created');
      return parsed.data;
    },

    async update(subject, uuid, settings) {
      const path = `${hooksOf(subject)}/${segment(uuid)}`;
      await client.write({ ...common, method: 'PUT', path, body: { ...settings } });
    },

    async remove(subject, uuid) {
      await client.write({ ...common, method: 'DELETE', path: `${hooksOf(subject)}/${segment(uuid)}` });
    },

    async eventsFor(kind) {
      const path = `/hook_events/${kind}`;
      const events = await listAll(path, hookEventSchema);
      if (events.length === 0) throw unreadable(path, 'lists no events');
      return events.map(({ event }) => event);
    },
  };
}

const hooksOf = (subject: HookSubject): string =>
  subject.kind === 'workspace'
    ? `/workspaces/${segment(subject.slug)}/hooks`
    : `${repositoryPath(subject.uuid)}/hooks`;
