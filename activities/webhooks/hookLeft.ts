import type { Transaction } from '../../db/client.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import type { HookRow } from '../../db/queries/webhookTargets.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';

const REMEDY = 'Remove it by hand: in Bitbucket, among the webhooks in the settings of what it watches.';

/**
 * Tells of a hook whose row goes while it stays at Bitbucket (`webhook_left`; `code`: why): every delivery to it is
 * answered 404 from then on, and only a person can remove it. Nothing where none was ever made.
 */
export async function tellHookLeft(
  tx: Transaction,
  integration: OfIntegration,
  { scope, name, providerUuid, maybeMade }: HookRow,
  code: string,
): Promise<void> {
  if (providerUuid === null && !maybeMade) return;
  const details = { scope, name, code, remedy: REMEDY };
  await insertAuditEvent(tx, { ...integration, action: 'webhook_left', actor: null, details });
}
