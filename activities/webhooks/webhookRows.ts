import type { Database } from '../../db/client.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { commandUpkeep, setUpkeepState } from '../../db/queries/webhookUpkeep.ts';
import type { WebhookRowActivities } from '../../workflows/contracts/webhooks.ts';

const actionOf = (wanted: boolean, rotate: boolean): string => {
  if (!wanted) return 'webhooks_removed';
  return rotate ? 'webhook_secrets_rotated' : 'webhooks_registered';
};

/** Whether webhooks are wanted, and how their upkeep stands. Each may run again after its answer was lost. */
export function createWebhookRows({ database }: { database: Database }): WebhookRowActivities {
  return {
    commandWebhooks: ({ organizationId, integrationId, wanted, rotate, commandId, actor }) =>
      database.transaction(organizationId, async (tx) => {
        const command = { organizationId, integrationId, wanted, rotate, commandId };
        if (!(await commandUpkeep(tx, command))) return;
        const action = actionOf(wanted, rotate);
        await insertAuditEvent(tx, { organizationId, integrationId, action, actor });
      }),

    setWebhookUpkeep: ({ organizationId, integrationId, ...upkeep }) =>
      database.transaction(organizationId, (tx) =>
        setUpkeepState(tx, {
          integrationId,
          state: upkeep.state,
          begins: upkeep.begins ?? false,
          error: upkeep.error ?? null,
          waiting: upkeep.waiting ?? null,
          nextRoundAt: upkeep.nextRoundAt ?? null,
          rested: upkeep.rested ?? false,
        }),
      ),
  };
}
