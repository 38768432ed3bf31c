import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { type ImportEvent, insertEventOfImport } from './events.ts';
import { jsonText } from './jsonText.ts';

/** Adds an entry to the import's events, and to the organization's feed what is essential there. */
export async function insertImportEvent(tx: Transaction, event: ImportEvent): Promise<void> {
  await tx.execute(sql`
    insert into import_events (organization_id, import_id, type, repository_id, data)
    values (${event.organizationId}, ${event.importId}, ${event.type}, ${event.repositoryId ?? null},
      ${jsonText(event.data ?? {})}::jsonb)`);
  await insertEventOfImport(tx, event);
}
