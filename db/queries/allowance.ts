import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { isoInstant as iso } from './isoInstant.ts';
import type { WindowKey } from './requestBudget.ts';

/** What an account may still ask, as far as is known. */
export interface Allowance {
  /** requests in a window; null: no limit is known, so nothing but a refusal holds requests back */
  limit: number | null;
  /** of these kept back for live syncs and connection checks */
  reserve: number;
  /** in the window now, whoever made them */
  used: number;
  /** what imports may ask at once: limit less reserve less used; null without a limit */
  remaining: number | null;
  /** length of the rolling window */
  windowMs: number;
  /** ISO: Bitbucket refuses everything until then */
  blockedUntil: string | null;
  /** when how many leave the window, soonest first; ISO with microseconds. Rather too late than too early */
  frees: { at: string; requests: number }[];
}

/**
 * The allowance of one account and limit group (`repository_data`, `webhook_data`, `git_operations`, `other`).
 * `undefined`: nothing was ever asked for this account, so nothing is known. Reads only; takes nothing.
 */
export async function readAllowance(tx: Transaction, key: WindowKey): Promise<Allowance | undefined> {
  const [row] = await tx.execute<{
    limit: number | null;
    reserve: number;
    used: number;
    window_ms: number;
    blocked_until: string | null;
    frees: Allowance['frees'];
  }>(sql`
    with head as (
      select *, coalesce(stated_limit, nullif(default_limit, 0)) as capacity from request_limits
      where account_key = ${key.accountKey} and limit_group = ${key.group}
    ),
    ends as (
      select u.leaves_at, sum(u.requests) as requests
      from request_uses u
      where u.account_key = ${key.accountKey} and u.limit_group = ${key.group} and u.leaves_at > clock_timestamp()
      group by u.leaves_at having sum(u.requests) > 0
    )
    select h.capacity as limit, coalesce(request_reserve(h.capacity), 0) as reserve, h.window_ms,
      (select coalesce(sum(requests), 0)::integer from ends) as used,
      case when h.blocked_until > clock_timestamp() then ${iso(sql`h.blocked_until`)} end as blocked_until,
      (select coalesce(jsonb_agg(jsonb_build_object('at', ${iso(sql`leaves_at`)}, 'requests', requests)
        order by leaves_at), '[]') from ends) as frees
    from head h`);
  if (row === undefined) return undefined;
  const { limit, reserve, used, frees } = row;
  return {
    limit,
    reserve,
    used,
    remaining: limit === null ? null : Math.max(0, limit - reserve - used),
    windowMs: row.window_ms,
    blockedUntil: row.blocked_until,
    frees,
  };
}

/** One window of one account, as operators watch it. */
export interface AllowanceWindow {
  accountKey: string;
  group: string;
  limit: number | null;
  reserve: number;
  used: number;
  /** from now; 0: not blocked */
  blockedSeconds: number;
}

/** All windows that hold a request or are blocked. */
export async function readWindows(tx: Transaction): Promise<AllowanceWindow[]> {
  const rows = await tx.execute<{
    account_key: string;
    limit_group: string;
    limit: number | null;
    reserve: number;
    used: number;
    blocked_seconds: number;
  }>(sql`
    with windows as (
      select l.account_key, l.limit_group, coalesce(l.stated_limit, nullif(l.default_limit, 0)) as "limit",
        (select coalesce(sum(u.requests), 0)::integer from request_uses u
          where u.account_key = l.account_key and u.limit_group = l.limit_group
            and u.leaves_at > clock_timestamp()) as used,
        greatest(0, coalesce(extract(epoch from l.blocked_until - clock_timestamp()), 0))::float8 as blocked_seconds
      from request_limits l
    )
    select *, coalesce(request_reserve("limit"), 0) as reserve from windows
    where used > 0 or blocked_seconds > 0
    order by account_key, limit_group`);
  return rows.map((row) => ({
    accountKey: row.account_key,
    group: row.limit_group,
    limit: row.limit,
    reserve: row.reserve,
    used: row.used,
    blockedSeconds: row.blocked_seconds,
  }));
}
