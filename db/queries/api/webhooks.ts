import { isUtf8 } from 'node:buffer';
import { type SQL, sql } from 'drizzle-orm';
import type { Database } from '../../client.ts';

/** A webhook as the receiver needs it: whose it is, and which secrets may sign. */
export interface ReceivingWebhook {
  organizationId: string;
  id: string;
  integrationId: string;
  generation: number;
  /** the secret before this generation's is taken too: a rotation is under way */
  takesPrevious: boolean;
}

/** The webhook whose URL ends with this token: ids by the look-up function, the row as its own tenant. */
export async function findWebhook(database: Database, token: string): Promise<ReceivingWebhook | null> {
  const [ids] = await database.statement((tx) =>
    tx.execute<{ organization_id: string; id: string }>(sql`select * from lookup_webhook(${token})`),
  );
  if (ids === undefined) return null;
  const { organization_id: organizationId, id } = ids;
  const [row] = await database.transaction(organizationId, (tx) =>
    tx.execute<{ integrationId: string; generation: number; takesPrevious: boolean }>(sql`
      select integration_id as "integrationId", generation,
        coalesce(previous_generation_until > clock_timestamp(), false) as "takesPrevious"
      from webhooks where id = ${id}`),
  );
  return row === undefined ? null : { organizationId, id, ...row };
}

/** A verified delivery on its way into `webhook_deliveries`. */
export interface NewDelivery {
  organizationId: string;
  /** made of hook, event and body, so that the same again is the same row */
  id: string;
  webhookId: string;
  eventKey: string;
  requestUuid: string | null;
  attempt: number;
  /** what its body says; null: nothing */
  repositoryUuid: string | null;
  pullRequestState: string | null;
  pullRequestNumber: number | null;
  body: Uint8Array;
}

/**
 * Stores deliveries with distinct ids in one statement, which commits by itself. Answers the ids of those that are stored:
 * the others' webhooks are gone. What was there already is counted as repeated (the migration says how).
 */
export async function storeDeliveries(
  database: Database,
  deliveries: readonly NewDelivery[],
): Promise<Set<string>> {
  let startsAt = 0;
  const described = deliveries.map((delivery) => {
    const bytes = delivery.body.byteLength;
    const row = {
      organization_id: delivery.organizationId,
      id: delivery.id,
      webhook_id: delivery.webhookId,
      event_key: delivery.eventKey,
      request_uuid: delivery.requestUuid,
      attempt: delivery.attempt,
      repository_uuid: delivery.repositoryUuid,
      pull_request_state: delivery.pullRequestState,
      pull_request_number: delivery.pullRequestNumber,
      starts_at: startsAt,
      bytes,
    };
    startsAt += bytes;
    return row;
  });
  const bodies = bytesOf(Buffer.concat(deliveries.map(({ body }) => body)));
  const rows = await database.statement((tx) =>
    tx.execute<{ id: string }>(
      sql`select * from store_webhook_deliveries(${JSON.stringify(described)}::jsonb, ${bodies}) as id`,
    ),
  );
  return new Set(rows.map(({ id }) => id));
}

/**
 * Bytes as a parameter. The driver sends them in hexadecimal, which is twice as many; text, which a body mostly is, goes as
 * it is. Postgres takes any UTF-8 but a zero for text.
 */
const bytesOf = (bytes: Buffer): SQL =>
  isUtf8(bytes) && !bytes.includes(0) ? sql`convert_to(${bytes.toString()}, 'UTF8')` : sql`${bytes}::bytea`;
