import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

interface LimitKey {
  /** Bitbucket's account uuid, or what stands for it until it is known */
  accountKey: string;
  group: string;
}

/** Postgres' clock in ISO form with microseconds, UTC: the text form that everything else uses. */
const iso = (instant: ReturnType<typeof sql>) =>
  sql`to_char(${instant} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export interface TakenRequest {
  observed_at: string;
  /** null: the request may be sent now */
  blocked_until: string | null;
  wait_ms: number;
  /** this request is the one that finds out whether a block still holds */
  probing: boolean;
}

/**
 * Asks for one request, in one statement. After a refusal the first who comes when the time is up sends a probe; the
 * others wait until it is answered, or for `probeSeconds` when its sender died.
 */
export async function takeRequest(
  tx: Transaction,
  key: LimitKey & { probeSeconds: number },
): Promise<TakenRequest> {
  const [row] = await tx.execute<TakenRequest & Record<string, unknown>>(sql`
    with moment as materialized (select clock_timestamp() as at),
    found as (
      select l.blocked_until, l.refusals from request_limits l
      where l.account_key = ${key.accountKey} and l.limit_group = ${key.group}
    ),
    probe as (
      update request_limits l
      set blocked_until = m.at + make_interval(secs => ${key.probeSeconds})
      from moment m
      where l.account_key = ${key.accountKey} and l.limit_group = ${key.group}
        and l.refusals > 0 and l.blocked_until <= m.at
      returning 1
    ),
    verdict as (
      select m.at, exists (select from probe) as probing,
        case
          when exists (select from probe) or f.blocked_until is null then null
          when f.blocked_until > m.at then f.blocked_until
          -- its time is up, but somebody else's probe came first
          when f.refusals > 0 then m.at + interval '1 second'
        end as blocked_until
      from moment m left join found f on true
    )
    select ${iso(sql`at`)} as observed_at, probing,
      ${iso(sql`blocked_until`)} as blocked_until,
      coalesce(ceil(extract(epoch from blocked_until - at) * 1000), 0)::int as wait_ms
    from verdict`);
  if (row === undefined) throw new Error('takeRequest answered no row.');
  return row;
}

/**
 * Notes a 429 and gives the time from which requests may go again (ISO). `waitSeconds` is Bitbucket's word; without it
 * the wait doubles from a minute to an hour with each refusal. Refusals of requests that were taken before the last one
 * was noted (`observedAt`) are part of the same event: they may lengthen the wait, but do not double it.
 */
export async function noteRefusal(
  tx: Transaction,
  key: LimitKey & { observedAt: string; waitSeconds: number | null },
): Promise<string> {
  const [row] = await tx.execute<{ blocked_until: string }>(sql`
    insert into request_limits as l (account_key, limit_group, blocked_until, refusals, updated_at)
    values (${key.accountKey}, ${key.group},
      clock_timestamp() + make_interval(secs => coalesce(${key.waitSeconds}::int, 60)), 1, clock_timestamp())
    on conflict (account_key, limit_group) do update set
      blocked_until = case
        when l.refusals > 0 and l.updated_at > ${key.observedAt}::timestamptz then
          greatest(l.blocked_until, clock_timestamp() + make_interval(secs => coalesce(${key.waitSeconds}::int, 0)))
        else clock_timestamp() + make_interval(
          secs => coalesce(${key.waitSeconds}::int, least(3600, 60 * power(2, least(l.refusals, 6)))::int))
      end,
      refusals = case
        when l.refusals > 0 and l.updated_at > ${key.observedAt}::timestamptz then l.refusals
        when ${key.waitSeconds}::int is null then l.refusals + 1
        else greatest(l.refusals, 1)
      end,
      updated_at = clock_timestamp()
    returning ${iso(sql`l.blocked_until`)} as blocked_until`);
  if (row === undefined) throw new Error('noteRefusal answered no row.');
  return row.blocked_until;
}

/** A probe got through: the block is over, unless somebody was refused after the probe was taken. */
export async function endRefusal(tx: Transaction, key: LimitKey & { observedAt: string }): Promise<void> {
  await tx.execute(sql`
    update request_limits set blocked_until = null, refusals = 0, updated_at = clock_timestamp()
    where account_key = ${key.accountKey} and limit_group = ${key.group}
      and updated_at <= ${key.observedAt}::timestamptz`);
}
