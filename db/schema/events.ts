import { sql } from 'drizzle-orm';
import { bigint, index, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import { instant, organizationId, writtenBy } from './columns.ts';
import { organizations } from './tenancy.ts';

/**
 * What happened in an organization, and who did it: append only. Read in the order of `(xact, id)`, and no further than
 * the oldest transaction that still writes (`queries/api/hasSettled.ts`): ids alone become visible out of order.
 */
export const events = pgTable(
  'events',
  {
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    xact: writtenBy('xact'),
    id: bigint('id', { mode: 'number' }).generatedAlwaysAsIdentity(),
    type: text('type').notNull(),
    // No foreign keys: what happened stays told when the thing itself is removed.
    integrationId: uuid('integration_id'),
    importId: uuid('import_id'),
    repositoryId: uuid('repository_id'),
    /** null, both: nobody asked, the engine did it */
    apiKeyId: uuid('api_key_id'),
    actingUser: text('acting_user'),
    data: jsonb('data').$type<Record<string, unknown>>().notNull().default({}),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.xact, t.id] }),
    index('events_of_type').on(t.organizationId, t.type, t.xact, t.id),
    index('events_of_integration').on(t.organizationId, t.integrationId, t.xact, t.id),
  ],
);
