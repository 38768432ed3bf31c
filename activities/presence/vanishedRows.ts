import type { Database } from '../../db/client.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { settleVanished } from '../../db/queries/presence.ts';
import type { VanishedActivities, VanishedDecision } from '../../workflows/contracts/vanished.ts';

const ACTIONS: Record<VanishedDecision, string> = { gone: 'vanished_confirmed', keep: 'vanished_kept' };

/** What people decide about repositories that vanished together. May run again after its answer was lost. */
export function createVanishedRows({ database }: { database: Database }): VanishedActivities {
  return {
    settleVanished: ({ organizationId, integrationId, decision, actor }) =>
      database.transaction(organizationId, async (tx) => {
        const integration = { organizationId, integrationId };
        const repositories = await settleVanished(tx, integration, decision);
        if (repositories === 0) return;
        const details = { repositories };
        await insertAuditEvent(tx, { ...integration, action: ACTIONS[decision], actor, details });
      }),
  };
}
