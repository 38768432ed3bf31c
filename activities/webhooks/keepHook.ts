import type { Database } from '../../db/client.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import * as queries from '../../db/queries/webhookTargets.ts';
import type { HookRow } from '../../db/queries/webhookTargets.ts';
import type { Finding } from '../../workflows/words.ts';
import {
  BadRequest,
  FeatureGone,
  Forbidden,
  NotFound,
  RepositoryGone,
  ScopeMissing,
} from '../bitbucket/errors.ts';
import type { Hook, Hooks, HookSettings, HookSubject } from '../bitbucket/hooks.ts';
import { sameEvents } from './events.ts';
import { adminLost, refusedSettings, type TriedAgain } from './findings.ts';
import type { Receiver } from './receiver.ts';

export interface KeepOptions {
  database: Database;
  organizationId: string;
  integrationId: string;
  hooks: Hooks;
  receiver: Receiver;
  secretOf: (generation: number) => string;
  /** how long the secret before a rotation is taken, once Bitbucket has the new one */
  graceMs: number;
}

/** What a hook shall be like. */
export interface Wanted {
  /** what it subscribes to: needed, and offered by Bitbucket */
  events: readonly string[];
  /** what it keeps of its events although Bitbucket did not list them: that list may have been short */
  needed: ReadonlySet<string>;
  generation: number;
  /** why there can be none where the account has no right to */
  notAllowed: Finding;
  /** when one is tried again that the account has no right to */
  tried: TriedAgain;
}

/** `missing_scopes`: no hook can be set up with this credential, wherever. */
export type Kept =
  | { state: 'active' | 'not_allowed' | 'failed' }
  | { state: 'missing_scopes'; finding: Finding };

export const subjectOf = (row: HookRow): HookSubject =>
  row.repositoryUuid === null
    ? { kind: 'workspace', slug: row.workspaceSlug }
    : { kind: 'repository', uuid: row.repositoryUuid };

/**
 * Makes one hook what it shall be, whatever was done before: lists those of its subject, adopts ours by the token in its
 * address, creates it where it is missing, mends it where it was changed, removes a second one. So a call that was carried
 * out and not answered is found by the next attempt, and of two runs at the same moment one takes its own hook back.
 * Throws what only a person or time can mend, and what passes by itself.
 */
export function createHookKeeper(options: KeepOptions) {
  const { database, organizationId, integrationId, hooks, receiver, secretOf, graceMs } = options;
  const transaction = <T>(work: Parameters<typeof database.transaction<T>>[1]): Promise<T> =>
    database.transaction(organizationId, work);

  const settingsOf = (row: HookRow, wanted: Wanted, generation: number): HookSettings => ({
    description: 'Bucket Brigade: tells that something changed',
    url: receiver.urlOf(row.token),
    active: true,
    events: [...wanted.events],
    secret: secretOf(generation),
  });

  /** What happened to a hook without anybody here having asked for it. */
  const tell = (action: 'webhook_restored' | 'webhook_lost', row: HookRow, details: object): Promise<void> =>
    transaction((tx) =>
      insertAuditEvent(tx, {
        organizationId,
        integrationId,
        action,
        actor: null,
        details: { scope: row.scope, name: row.name, ...details },
      }),
    );

  const begin = (row: HookRow, state: 'missing' | 'inactive', generation: number): Promise<boolean> =>
    transaction((tx) => queries.beginMending(tx, { id: row.id, state, generation }));

  async function create(row: HookRow, wanted: Wanted): Promise<void> {
    const generation = Math.max(row.generation, wanted.generation);
    if (!(await begin(row, 'missing', generation))) return;
    const created = await hooks.create(subjectOf(row), settingsOf(row, wanted, generation));
    const stored = await store(row, created.uuid, wanted, null);
    if (stored && row.providerUuid !== null) await tell('webhook_restored', row, { was: 'missing' });
  }

  async function removeExtra(row: HookRow, uuid: string): Promise<void> {
    try {
      await hooks.remove(subjectOf(row), uuid);
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  }

  /** An event that it has is given up where Bitbucket refuses it, not on the word of a list that lacks it. */
  async function update(row: HookRow, hook: Hook, offered: Wanted): Promise<void> {
    const unlisted = hook.events.filter(
      (event) => offered.needed.has(event) && !offered.events.includes(event),
    );
    const wanted = { ...offered, events: [...offered.events, ...unlisted] };
    try {
      await mend(row, hook, wanted);
    } catch (error) {
      if (unlisted.length === 0 || !(error instanceof BadRequest)) throw error;
      await mend(row, hook, offered);
    }
  }

  async function mend(row: HookRow, hook: Hook, wanted: Wanted): Promise<void> {
    const adopted = row.providerUuid !== hook.uuid;
    const disabled = row.state === 'active' && !hook.active;
    if (disabled && !(await begin(row, 'inactive', row.generation))) return;
    let generation = row.generation;
    // What an adopted hook was made with, how a rotation that broke off ended, and what became of a hook that could not be
    // seen to or tells nothing (`pending`), is not known: the secret is sent again.
    const unsure = adopted || row.unconfirmed || row.state === 'pending';
    if (unsure || !isAsWanted(row, hook, wanted) || !hook.secretSet) {
      await send(row, hook, wanted, generation);
    }
    while (generation < wanted.generation) {
      await transaction((tx) => queries.raiseGeneration(tx, { id: row.id, from: generation }));
      generation += 1;
      await send(row, hook, wanted, generation);
    }
    const stored = await store(row, hook.uuid, wanted, null);
    if (stored && disabled) await tell('webhook_restored', row, { was: 'inactive' });
  }

  async function send(row: HookRow, hook: Hook, wanted: Wanted, generation: number): Promise<void> {
    await hooks.update(subjectOf(row), hook.uuid, settingsOf(row, wanted, generation));
    await store(row, hook.uuid, wanted, { generation, graceMs });
  }

  /** False: the row is another run's hook by now, or no longer wanted, so this one was removed. */
  async function store(
    row: HookRow,
    uuid: string,
    { events }: Wanted,
    confirmed: { generation: number; graceMs: number } | null,
  ): Promise<boolean> {
    const hook = { id: row.id, before: row.providerUuid, uuid, events, confirmed };
    const stored = await transaction((tx) => queries.storeHook(tx, hook));
    if (!stored) await removeExtra(row, uuid);
    return stored;
  }

  const isAsWanted = (row: HookRow, hook: Hook, { events }: Wanted): boolean =>
    hook.active && hook.url === receiver.urlOf(row.token) && sameEvents(hook.events, events);

  async function reconcile(row: HookRow, wanted: Wanted): Promise<void> {
    const listed = await hooks.list(subjectOf(row));
    const ours = listed.filter(({ url }) => receiver.isOurs(url, row.token));
    const kept = ours.find(({ uuid }) => uuid === row.providerUuid) ?? ours[0];
    for (const extra of ours) if (extra !== kept) await removeExtra(row, extra.uuid);
    if (kept === undefined) await create(row, wanted);
    else await update(row, kept, wanted);
  }

  async function note(row: HookRow, state: 'not_allowed' | 'failed', error: Finding): Promise<void> {
    await transaction((tx) => queries.noteHook(tx, { id: row.id, state, error }));
    if (row.state === 'active') await tell('webhook_lost', row, { code: error.code });
  }

  return {
    async keep(row: HookRow, wanted: Wanted): Promise<Kept> {
      try {
        await reconcile(row, wanted);
        return { state: 'active' };
      } catch (error) {
        if (error instanceof ScopeMissing) {
          await note(row, 'not_allowed', error.finding);
          return { state: 'missing_scopes', finding: error.finding };
        }
        if (error instanceof Forbidden) {
          const lost = adminLost(wanted.tried);
          await note(row, 'not_allowed', row.providerUuid === null ? wanted.notAllowed : lost);
          return { state: 'not_allowed' };
        }
        if (error instanceof RepositoryGone || error instanceof NotFound || error instanceof FeatureGone) {
          await note(row, 'failed', error.finding);
          return { state: 'failed' };
        }
        if (!(error instanceof BadRequest)) throw error;
        await note(row, 'failed', refusedSettings(error));
        return { state: 'failed' };
      }
    },

    /** The account has no right to this hook, as is known without asking: the next round looks whether it has. */
    forbid: (row: HookRow, finding: Finding): Promise<void> =>
      note(row, 'not_allowed', row.providerUuid === null ? finding : adminLost('next_round')),

    /** Trouble of Bitbucket's with this one that did not pass: the round goes on with the others. */
    fail: (row: HookRow, finding: Finding): Promise<void> => note(row, 'failed', finding),
  };
}
export type HookKeeper = ReturnType<typeof createHookKeeper>;
