import { sql } from 'drizzle-orm';
import { boolean, foreignKey, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { type Finding, WEBHOOK_UPKEEP_STATES, type WebhookUpkeepState } from '../../workflows/words.ts';
import { createdAt, instant, oneOf, organizationId, word } from './columns.ts';
import { integrations } from './integrations.ts';

/** Whether an integration wants webhooks, and how the upkeep of those in `webhooks` stands. No row: never asked for. */
export const webhookUpkeep = pgTable(
  'webhook_upkeep',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** false: they are removed, and polling alone keeps the data current */
    wanted: boolean('wanted').notNull(),
    /** the generation of secrets that every hook shall have; a rotation raises it */
    generation: integer('generation').notNull().default(1),
    /** the last command that was carried out: the same one again changes nothing */
    commandId: text('command_id').notNull(),
    state: word<WebhookUpkeepState>('state').notNull().default('pending'),
    /** why the last round could not be done */
    error: jsonb('error').$type<Finding>(),
    waitingUntil: instant('waiting_until'),
    waitingReason: text('waiting_reason'),
    /** when the last round over all hooks ended, and when the next begins */
    lastRoundAt: instant('last_round_at'),
    nextRoundAt: instant('next_round_at'),
    createdAt: createdAt(),
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId] }),
    oneOf('webhook_upkeep_state', t.state, WEBHOOK_UPKEEP_STATES),
    foreignKey({
      name: 'webhook_upkeep_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
  ],
);
