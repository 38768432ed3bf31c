import { sql } from 'drizzle-orm';
import { index, integer, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { instant } from './columns.ts';

/**
 * The request budget, keyed by Bitbucket account and limit group: no tenant data, no row-level security. One row is one
 * rolling window; whoever changes anything of a window holds this row's lock for the length of one statement.
 */
export const requestLimits = pgTable(
  'request_limits',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    /** requests in a window as the installation is set up; null or 0: none known */
    defaultLimit: integer('default_limit'),
    /** what Bitbucket's headers said instead, and when the request was taken whose answer said so */
    statedLimit: integer('stated_limit'),
    statedAt: instant('stated_at'),
    windowMs: integer('window_ms').notNull().default(3_600_000),
    /** Bitbucket's word (Retry-After, or the doubling wait where it gives none) */
    blockedUntil: instant('blocked_until'),
    /** 429 answers in a row without Retry-After */
    refusals: integer('refusals').notNull().default(0),
    /** requests in a row that got no answer, or 5xx */
    failures: integer('failures').notNull().default(0),
    /** when `blocked_until` was last set or lifted by an answer */
    updatedAt: instant('updated_at').notNull().default(sql`clock_timestamp()`),
    /** when uses and waits that are over were last removed */
    sweptAt: instant('swept_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [primaryKey({ columns: [t.accountKey, t.limitGroup] })],
);

/** Requests in a window, by the time at which they leave it and by whom they were made for. */
export const requestUses = pgTable(
  'request_uses',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    leavesAt: instant('leaves_at').notNull(),
    /** the id of an import; `live`: what goes first; `elsewhere`: what Bitbucket counted and we did not send */
    consumer: text('consumer').notNull(),
    requests: integer('requests').notNull(),
  },
  (t) => [primaryKey({ columns: [t.accountKey, t.limitGroup, t.leavesAt, t.consumer] })],
);

/** Workflows that wait for a window, in the order in which they came: by it they get their turn, and are woken early. */
export const requestWaits = pgTable(
  'request_waits',
  {
    accountKey: text('account_key').notNull(),
    limitGroup: text('limit_group').notNull(),
    /** id of the workflow */
    waiter: text('waiter').notNull(),
    consumer: text('consumer').notNull(),
    since: instant('since').notNull(),
    /** what it was told */
    until: instant('until').notNull(),
    /** when it was told that it may come earlier */
    wokenAt: instant('woken_at'),
  },
  (t) => [
    primaryKey({ columns: [t.accountKey, t.limitGroup, t.waiter] }),
    index('request_waits_of_waiter').on(t.waiter),
    index('request_waits_of_consumer').on(t.consumer),
  ],
);
