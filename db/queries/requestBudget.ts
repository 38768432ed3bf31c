import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { isoInstant as iso } from './isoInstant.ts';

/** One rolling window: a Bitbucket account and a group of its limits. */
export interface WindowKey {
  /** Bitbucket's account uuid, or what stands for it until it is known */
  accountKey: string;
  group: string;
}

export interface TakeInput extends WindowKey {
  /** who shares: the id of an import, or `live` */
  consumer: string;
  goesFirst: boolean;
  /** id of the workflow to wake when its turn comes earlier than it is told */
  waiter: string | null;
  /** how many at once */
  requests: number;
  /** requests in a window unless Bitbucket states another number; null: none known */
  defaultLimit: number | null;
  windowMs: number;
  /** until when after the taking an answer must have come */
  deadlineMs: number;
}

export interface TakeAnswer {
  granted: boolean;
  observed_at: string;
  /** when it leaves the window if no answer comes; null: not granted */
  due_at: string | null;
  /** this request is the one that finds out whether a refusal still holds */
  probing: boolean;
  /** not granted: Bitbucket refused an earlier one, does not answer at present, or our window is full */
  why: 'refused' | 'failing' | 'used_up' | null;
  /** not granted: when to ask again */
  come_at: string | null;
  wait_ms: number;
  /** granted: how long this waiter had waited in all */
  waited_ms: number;
}

/** Asks for requests, in one statement that commits by itself (`take_request` in the migrations has the rules). */
export async function takeRequest(tx: Transaction, input: TakeInput): Promise<TakeAnswer> {
  const [row] = await tx.execute<TakeAnswer & Record<string, unknown>>(sql`
    select granted, ${iso(sql`observed_at`)} as observed_at, ${iso(sql`due_at`)} as due_at, probing, why,
      ${iso(sql`come_at`)} as come_at,
      coalesce(ceil(extract(epoch from come_at - observed_at) * 1000), 0)::float8 as wait_ms,
      coalesce(waited_ms, 0) as waited_ms
    from take_request(${input.accountKey}, ${input.group}, ${input.consumer}, ${input.goesFirst}, ${input.waiter},
      ${input.requests}::integer, ${input.defaultLimit}::integer, ${input.windowMs}::integer,
      ${input.deadlineMs}::integer)`);
  if (row === undefined) throw new Error('take_request answered no row.');
  return row;
}

export interface AnswerInput extends WindowKey {
  consumer: string;
  /** as for the taking: a refusal makes it wait */
  waiter: string | null;
  requests: number;
  observedAt: string;
  dueAt: string;
  probing: boolean;
  /** `refused`: 429. `failed`: 5xx or no answer. `unsent`: it never left, so Bitbucket cannot have counted it */
  outcome: 'answered' | 'refused' | 'failed' | 'unsent';
  /** of a refusal: Bitbucket's word; null: it gave none */
  waitSeconds: number | null;
  /** what the headers say, where they do */
  stated: { limit: number | null; remaining: number | null; nearLimit: boolean | null };
}

/**
 * Reports what became of requests that were taken. For a refusal: the ISO time from which requests may go again. The report
 * of an answer is not waited for to reach the disk: if Postgres crashes, what was taken counts for longer, never for less.
 */
export async function answerRequest(tx: Transaction, input: AnswerInput): Promise<string | null> {
  const { stated } = input;
  const commit = input.outcome === 'answered' ? 'off' : 'on';
  // Behind the function, which does not wait either: what is chosen is worked out of what it answered.
  const [row] = await tx.execute<{ until: string | null }>(sql`
    select ${iso(sql`until`)} as until, set_config('synchronous_commit', ${commit}, true)
    from answer_request(
      ${input.accountKey}, ${input.group}, ${input.consumer}, ${input.waiter}, ${input.requests}::integer,
      ${input.observedAt}::timestamptz, ${input.dueAt}::timestamptz, ${input.outcome}, ${input.probing},
      ${input.waitSeconds}::integer, ${stated.limit}::integer, ${stated.remaining}::integer,
      ${stated.nearLimit}::boolean) as until`);
  return row?.until ?? null;
}

/** The windows for which a workflow waits. */
export async function selectWaitedFor(tx: Transaction): Promise<WindowKey[]> {
  const rows = await tx.execute<{ account_key: string; limit_group: string }>(
    sql`select distinct account_key, limit_group from request_waits order by account_key, limit_group`,
  );
  return rows.map((row) => ({ accountKey: row.account_key, group: row.limit_group }));
}

/** Ids of the workflows that may go on earlier than they were told. One that does not come is named again. */
export async function wakeWaiting(tx: Transaction, { accountKey, group }: WindowKey): Promise<string[]> {
  const rows = await tx.execute<{ waiter: string }>(
    sql`select waiter from wake_waiting(${accountKey}, ${group}) as waiter`,
  );
  return rows.map(({ waiter }) => waiter);
}

/** The account behind a key that stood in for it is known: what was counted for the one counts for the other. */
export async function mergeWindows(tx: Transaction, keys: { from: string; to: string }): Promise<void> {
  await tx.execute(sql`select merge_windows(${keys.from}, ${keys.to})`);
}

/** A workflow waits no more: it ended, or was paused. Its import must not keep room for it. */
export async function stopWaiting(tx: Transaction, waiter: string): Promise<void> {
  await tx.execute(sql`delete from request_waits where waiter = ${waiter}`);
}

/**
 * Lets those who wait for these consumers, and these workflows, be woken at once: what they wait for is no longer what
 * they need.
 */
export async function releaseWaiting(
  tx: Transaction,
  { consumers, waiters = [] }: { consumers: readonly string[]; waiters?: readonly string[] },
): Promise<void> {
  await tx.execute(sql`
    update request_waits set until = clock_timestamp(), woken_at = '-infinity'
    where consumer in (select jsonb_array_elements_text(${JSON.stringify(consumers)}::jsonb))
      or waiter in (select jsonb_array_elements_text(${JSON.stringify(waiters)}::jsonb))`);
}
