import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { escapeJson } from '../text.ts';
import { jsonText } from './jsonText.ts';

export interface NewEvent {
  organizationId: string;
  type: string;
  integrationId: string | null;
  importId?: string | null;
  repositoryId?: string | null;
  /** left out or null: nobody asked, the engine did it */
  actor?: { apiKeyId: string; actingUser: string | null } | null;
  data?: Record<string, unknown>;
}

/** Adds an entry to the organization's feed; written with what it tells of, in the same transaction. */
export async function insertEvent(tx: Transaction, event: NewEvent): Promise<void> {
  await tx.execute(sql`
    insert into events (organization_id, type, integration_id, import_id, repository_id, api_key_id, acting_user, data)
    values (${event.organizationId}, ${event.type}, ${event.integrationId}, ${event.importId ?? null},
      ${event.repositoryId ?? null}, ${event.actor?.apiKeyId ?? null}, ${event.actor?.actingUser ?? null},
      ${jsonText(event.data ?? {})}::jsonb)`);
}

/** Adds entries about repositories of an integration, in the order given; nobody asked for them. */
export async function insertRepositoryEvents(
  tx: Transaction,
  { organizationId, integrationId }: { organizationId: string; integrationId: string },
  entries: readonly { type: string; repositoryId: string; data: Record<string, unknown> }[],
): Promise<void> {
  if (entries.length === 0) return;
  const rows = entries.map(({ type, repositoryId, data }) => ({
    type,
    repository_id: repositoryId,
    data: escapeJson(data),
  }));
  await tx.execute(sql`
    insert into events (organization_id, type, integration_id, repository_id, data)
    select ${organizationId}, e.type, ${integrationId}, e.repository_id, e.data
    from rows from (jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
      as (type text, repository_id uuid, data jsonb)) with ordinality as e (type, repository_id, data, place)
    order by e.place`);
}

/** Of all that happens in an import, what the feed tells. Pauses and the like come with who asked for them. */
const FROM_IMPORTS: ReadonlySet<string> = new Set([
  'import_started',
  'import_completed',
  'import_completed_with_failures',
  'import_cancelled',
  'repository_failed',
]);

export interface ImportEvent {
  organizationId: string;
  importId: string;
  type: string;
  repositoryId?: string;
  data?: Record<string, unknown>;
}

/** The entry for an event of an import, where the feed tells it. Who started the import is told with its start. */
export async function insertEventOfImport(tx: Transaction, event: ImportEvent): Promise<void> {
  if (!FROM_IMPORTS.has(event.type)) return;
  const started = event.type === 'import_started';
  await tx.execute(sql`
    insert into events (organization_id, type, integration_id, import_id, repository_id, api_key_id, acting_user, data)
    select organization_id, ${event.type}, integration_id, id, ${event.repositoryId ?? null}::uuid,
      ${started ? sql`started_by_key` : null}, ${started ? sql`started_by_user` : null},
      ${jsonText(event.data ?? {})}::jsonb
    from imports where id = ${event.importId}`);
}
