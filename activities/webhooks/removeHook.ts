import type { Database } from '../../db/client.ts';
import { deleteNext, type LastKey } from '../../db/queries/removal/deleteRows.ts';
import { TABLES_OF_WEBHOOK } from '../../db/queries/removal/tables.ts';
import { deleteHook, isToRemove } from '../../db/queries/webhookRemovals.ts';
import type { HookRow } from '../../db/queries/webhookTargets.ts';
import {
  AuthRefused,
  BitbucketError,
  CredentialUnusable,
  FeatureGone,
  Forbidden,
  NotFound,
  RepositoryGone,
  ScopeMissing,
} from '../bitbucket/errors.ts';
import type { Hooks } from '../bitbucket/hooks.ts';
import { tellHookLeft } from './hookLeft.ts';
import { subjectOf } from './keepHook.ts';
import type { Receiver } from './receiver.ts';

const DELETED_AT_ONCE = 5_000;

/** What there is to remove is gone. */
const GONE = [FeatureGone, NotFound, RepositoryGone] as const;
/** It is out of this account's reach. */
const OUT_OF_REACH = [Forbidden, ScopeMissing] as const;
/** The credential does not work any more. */
const REFUSED = [AuthRefused, CredentialUnusable] as const;

export interface RemoveOptions {
  database: Database;
  organizationId: string;
  integrationId: string;
  /** null: the credential does not work */
  hooks: Hooks | null;
  receiver: Receiver;
  /** a refused credential is no reason to keep the hook's row: nothing shall be left of it here */
  evenIfRefused: boolean;
}

/**
 * Removes hooks at Bitbucket, then their rows. What the account cannot reach (lost rights, 404) is let go: deliveries to
 * its address are unknown from then on. One that stays there is told of (`webhook_left`), since only a person can remove
 * it. Answers whether Bitbucket did it. Throws what passes by itself.
 */
export function createHookRemover(options: RemoveOptions) {
  const { database, organizationId, integrationId, hooks, receiver, evenIfRefused } = options;
  const unremovable: readonly (abstract new (...parameters: never) => BitbucketError)[] = evenIfRefused
    ? [...OUT_OF_REACH, ...REFUSED]
    : OUT_OF_REACH;

  async function removeThere(row: HookRow, reachable: Hooks): Promise<void> {
    const subject = subjectOf(row);
    if (row.providerUuid !== null && !row.maybeMade) return reachable.remove(subject, row.providerUuid);
    // One was asked for and never answered: it may be there.
    const listed = await reachable.list(subject);
    for (const { uuid, url } of listed) {
      if (receiver.isOurs(url, row.token)) await reachable.remove(subject, uuid);
    }
  }

  /** A hook may have had hundreds of thousands of deliveries: one transaction for all would hold up those that come in. */
  async function deleteRow(row: HookRow, leftBecause: string | null): Promise<void> {
    const owner = { column: 'webhook_id', organizationId, id: row.id } as const;
    for (const table of TABLES_OF_WEBHOOK) {
      let after: LastKey = null;
      do {
        const from: LastKey = after;
        after = await database.transaction(organizationId, async (tx) => {
          if (!(await isToRemove(tx, row.id))) return null;
          const { last } = await deleteNext(tx, { table, owner, after: from, limit: DELETED_AT_ONCE });
          return last;
        });
      } while (after !== null);
    }
    await database.transaction(organizationId, async (tx) => {
      const isDeleted = await deleteHook(tx, row.id);
      if (!isDeleted || leftBecause === null) return;
      await tellHookLeft(tx, { organizationId, integrationId }, row, leftBecause);
    });
  }

  return async (row: HookRow): Promise<boolean> => {
    let removed = hooks !== null;
    let leftBecause = hooks === null ? 'no_credential' : null;
    try {
      if (hooks !== null) await removeThere(row, hooks);
    } catch (error) {
      const isLeft = unremovable.some((type) => error instanceof type);
      if (!isLeft && !GONE.some((type) => error instanceof type)) throw error;
      removed = false;
      if (isLeft && error instanceof BitbucketError) leftBecause = error.finding.code;
    }
    await deleteRow(row, leftBecause);
    return removed;
  };
}
