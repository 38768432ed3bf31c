import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';

export interface KeptAnswer {
  headers: Record<string, string>;
  /** encrypted by the api; null: no body */
  body: string | null;
}

export type Claim =
  /**
   * `since` tells this claim from a later one of the same key; `firstAt`: the same, or that of the first claim of this
   * request if nobody knows how those before this one ended; `day`: its date in UTC; `ageMs`: since then.
   */
  | { state: 'claimed'; since: string; day: string; firstAt: string; ageMs: number }
  | { state: 'under_way' }
  /** the key was used for another request */
  | { state: 'other' }
  | { state: 'answered'; status: number; answer: KeptAnswer };

interface Row extends Record<string, unknown> {
  same: boolean;
  status: number | null;
  answer: KeptAnswer | null;
}

/**
 * Takes the key for this request, or says what became of it. Keys older than a day, and claims older than a minute
 * whose api died or whose outcome nobody knows, are free again; the same request may go on with the latter at once.
 */
export async function claimIdempotencyKey(
  tx: Transaction,
  claim: { organizationId: string; key: string; operation: string; fingerprint: Uint8Array },
): Promise<Claim> {
  const { organizationId, key, operation, fingerprint } = claim;
  const isSame = sql`k.operation = excluded.operation and k.fingerprint = excluded.fingerprint`;
  const [claimed] = await tx.execute<Record<'since' | 'day' | 'firstAt', string> & { ageMs: number }>(sql`
    insert into idempotency_keys as k (organization_id, key, operation, fingerprint, created_at, first_at)
    select ${organizationId}, ${key}, ${operation}, ${fingerprint}, at, at from (select clock_timestamp() as at) as present
    on conflict (organization_id, key) do update
      set operation = excluded.operation, fingerprint = excluded.fingerprint, status = null, answer = null,
        created_at = excluded.created_at,
        first_at = case when k.status is null and ${isSame} and k.created_at > excluded.created_at - interval '24 hours'
          then k.first_at else excluded.created_at end
      where k.created_at < excluded.created_at - case when k.status is null then interval '1 minute' else interval '24 hours' end
        or (k.status is null and k.over_at = k.created_at and ${isSame})
    returning created_at::text as since, (first_at at time zone 'UTC')::date::text as day, first_at::text as "firstAt",
      (extract(epoch from created_at - first_at) * 1000)::float8 as "ageMs"`);
  if (claimed !== undefined) return { state: 'claimed', ...claimed };
  const [row] = await tx.execute<Row>(sql`
    select operation = ${operation} and fingerprint = ${fingerprint} as same, status, answer
    from idempotency_keys where key = ${key}`);
  // Released between the two statements: whoever held it is done, and nothing was kept.
  if (row === undefined) return { state: 'under_way' };
  if (!row.same) return { state: 'other' };
  if (row.status === null || row.answer === null) return { state: 'under_way' };
  return { state: 'answered', status: row.status, answer: row.answer };
}

export async function keepIdempotentAnswer(
  tx: Transaction,
  { key, since, status, answer }: { key: string; since: string; status: number; answer: KeptAnswer },
): Promise<void> {
  // A request that took over a minute may have lost its claim to a repetition: then that one's answer counts.
  await tx.execute(sql`
    update idempotency_keys set status = ${status}, answer = ${JSON.stringify(answer)}::jsonb
    where key = ${key} and created_at = ${since}::timestamptz and status is null`);
}

export async function releaseIdempotencyKey(
  tx: Transaction,
  { key, since }: { key: string; since: string },
): Promise<void> {
  await tx.execute(sql`
    delete from idempotency_keys where key = ${key} and created_at = ${since}::timestamptz and status is null`);
}

/** Keeps the key for this request, whose outcome nobody knows: its repetition takes it over at once. */
export async function loosenIdempotencyKey(
  tx: Transaction,
  { key, since }: { key: string; since: string },
): Promise<void> {
  await tx.execute(sql`
    update idempotency_keys set over_at = created_at
    where key = ${key} and created_at = ${since}::timestamptz and status is null`);
}

/** Tables of what has an id by its request's key. */
export type Keyed = 'integrations' | 'imports' | 'import_estimates';

/** Whether a row of this id is there, and so young that the key of its request is not free for another yet. */
export async function wasMadeByKey(tx: Transaction, table: Keyed, id: string): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from ${sql.identifier(table)}
    where id = ${id} and created_at > clock_timestamp() - interval '24 hours'`);
  return rows.length > 0;
}
