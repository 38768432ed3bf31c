import type { Transaction } from '../../db/client.ts';
import { deleteDraft, insertAuditEvent, lockDraft, shredCredentials } from '../../db/queries/integrations.ts';
import type { Actor } from '../../workflows/messages.ts';

/**
 * Removes an integration that was never created, with its secrets; `actor: null`: it expired. One that is none is left,
 * with `leftBehind` also one that did not expire an hour ago. Locked before anything is shredded: it may be created, and
 * its credential the only one, since somebody found it to be a draft.
 */
export async function removeDraft(
  tx: Transaction,
  draft: { organizationId: string; integrationId: string; actor: Actor | null; leftBehind?: boolean },
): Promise<boolean> {
  const { organizationId, integrationId, actor, leftBehind = false } = draft;
  if (!(await lockDraft(tx, { integrationId, leftBehind }))) return false;
  await shredCredentials(tx, { integrationId, states: ['candidate', 'active'] });
  await deleteDraft(tx, integrationId);
  const action = actor === null ? 'draft_expired' : 'draft_deleted';
  await insertAuditEvent(tx, { organizationId, integrationId, action, actor });
  return true;
}
