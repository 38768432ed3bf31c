import type { Transaction } from '../db/client.ts';
import { deleteDraft, insertAuditEvent, shredCredentials } from '../db/queries/integrations.ts';
import type { Actor } from '../workflows/messages.ts';

/** Removes an integration that was never created, with its secrets; `actor: null`: it expired. One that is none is left. */
export async function removeDraft(
  tx: Transaction,
  draft: { organizationId: string; integrationId: string; actor: Actor | null },
): Promise<boolean> {
  const { organizationId, integrationId, actor } = draft;
  await shredCredentials(tx, { integrationId, states: ['candidate', 'active'] });
  if (!(await deleteDraft(tx, integrationId))) return false;
  const action = actor === null ? 'draft_expired' : 'draft_deleted';
  await insertAuditEvent(tx, { organizationId, integrationId, action, actor });
  return true;
}
