import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { hasSettled } from './hasSettled.ts';
import { limitTo } from './limitTo.ts';

/** A place in the feed: the transaction and the id of the last entry seen, both as digits. */
export interface EventPlace {
  xact: string;
  id: string;
}

export interface EventRow extends EventPlace, Record<string, unknown> {
  type: string;
  integrationId: string | null;
  importId: string | null;
  repositoryId: string | null;
  apiKeyId: string | null;
  actingUser: string | null;
  data: Record<string, unknown>;
  at: string;
}

/** What happened behind a place, oldest first, as far as nothing can appear before it any more (`hasSettled`). */
export async function listEvents(
  tx: Transaction,
  filter: {
    after: EventPlace | null;
    integrationId: string | undefined;
    type: string | undefined;
    limit: number;
  },
): Promise<EventRow[]> {
  const { after, integrationId, type, limit } = filter;
  return tx.execute<EventRow>(sql`
    select xact::text as xact, id::text as id, type, integration_id as "integrationId", import_id as "importId",
      repository_id as "repositoryId", api_key_id as "apiKeyId", acting_user as "actingUser", data, at
    from events e
    where ${hasSettled(sql`xact`)}
      and ${after === null ? sql`true` : sql`(xact, id) > (${after.xact}::xid8, ${after.id}::bigint)`}
      and ${integrationId === undefined ? sql`true` : sql`integration_id = ${integrationId}`}
      and ${type === undefined ? sql`true` : sql`type = ${type}`}
    order by e.xact, e.id ${limitTo(limit)}`);
}
