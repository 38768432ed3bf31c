import { sql } from 'drizzle-orm';
import { foreignKey, integer, jsonb, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core';
import type { AutoImportRule } from '../../autoImport/rules.ts';
import { instant, organizationId } from './columns.ts';
import { integrations } from './integrations.ts';

/** Which repositories an integration imports by itself once they are discovered. No row: none were ever asked for. */
export const autoImport = pgTable(
  'auto_import',
  {
    organizationId: organizationId(),
    integrationId: uuid('integration_id').notNull(),
    /** rises with each change; whoever changes says which one they read */
    version: integer('version').notNull().default(1),
    rules: jsonb('rules').$type<AutoImportRule[]>().notNull(),
    updatedByKey: uuid('updated_by_key'),
    updatedByUser: text('updated_by_user'),
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.organizationId, t.integrationId] }),
    foreignKey({
      name: 'auto_import_integration',
      columns: [t.organizationId, t.integrationId],
      foreignColumns: [integrations.organizationId, integrations.id],
    }).onDelete('cascade'),
  ],
);
