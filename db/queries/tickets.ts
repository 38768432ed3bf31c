import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { createUpsert, type RepositoryScope } from './upsert.ts';

/** Each stores one page and returns how many rows were new or changed. */
export const upsertTickets = createUpsert({
  name: 'tickets',
  key: { number: 'integer' },
  content: {
    title: 'text',
    content: 'text',
    state: 'text',
    kind: 'text',
    priority: 'text',
    reporter_uuid: 'text',
    assignee_uuid: 'text',
    component: 'text',
    milestone: 'text',
    version: 'text',
    votes: 'integer',
    watches: 'integer',
    created_on: 'timestamptz',
    edited_on: 'timestamptz',
    raw: 'jsonb',
  },
  newer: ['updated_on', 'observed_at'],
});

// `updated_on` of a ticket's comment is null until it is edited, so it can be no guard: the later look wins.
export const upsertTicketComments = createUpsert({
  name: 'ticket_comments',
  key: { ticket_number: 'integer', comment_id: 'bigint' },
  content: {
    author_uuid: 'text',
    content: 'text',
    created_on: 'timestamptz',
    updated_on: 'timestamptz',
    raw: 'jsonb',
  },
  newer: ['observed_at'],
});

export const upsertTicketChanges = createUpsert({
  name: 'ticket_changes',
  key: { ticket_number: 'integer', change_id: 'bigint' },
  content: {
    author_uuid: 'text',
    changes: 'jsonb',
    message: 'text',
    created_on: 'timestamptz',
    raw: 'jsonb',
  },
  newer: ['observed_at'],
});

/**
 * Numbers of tickets above `after` that changed since `since` (null: all) or are `owed`, in order; `touched`: without those
 * that nothing has changed since they were created.
 */
export async function ticketsAfter(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; since: string | null; owed: readonly number[]; touched: boolean; limit: number },
): Promise<{ number: number; touched: boolean; behind: number }[]> {
  return tx.execute<{ number: number; touched: boolean; behind: number }>(sql`
    select number, updated_on > created_on as touched,
      (count(*) over () - row_number() over (order by number))::int as behind
    from tickets
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and number > ${range.after}
      and (${range.since}::timestamptz is null or updated_on >= ${range.since}::timestamptz
        or number = any (${numbers(range.owed)}))
      and (not ${range.touched} or updated_on > created_on)
    order by number limit ${range.limit}`);
}

const numbers = (list: readonly number[]) => sql`${`{${list.join(',')}}`}::integer[]`;

/**
 * Owes the comments and changes of tickets that were stored out of turn, with an `updated_on` that lies behind the watermarks
 * of both streams: their next walks read these too. Raises the epochs: a walk under way knows nothing of them, and would
 * forget them at its end.
 */
export async function oweDetails(
  tx: Transaction,
  scope: RepositoryScope,
  tickets: readonly number[],
): Promise<void> {
  await tx.execute(sql`
    update streams s set epoch = s.epoch + 1,
      memory = coalesce(s.memory, '{}') || jsonb_build_object('owed', coalesce(s.memory -> 'owed', '[]') || stored.numbers)
    from (
      select jsonb_agg(number order by number) as numbers from tickets
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and number = any (${numbers(tickets)}) and updated_on > created_on
    ) stored
    where s.organization_id = ${scope.organizationId} and s.repository_id = ${scope.repositoryId}
      and s.stream in ('ticket_changes', 'ticket_comments') and stored.numbers is not null`);
}

type TicketTable = 'tickets' | 'ticket_comments' | 'ticket_changes';

export async function countTicketRows(
  tx: Transaction,
  scope: RepositoryScope,
  table: TicketTable,
): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select count(*)::int as count from ${sql.identifier(table)}
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}`);
  return row?.count ?? 0;
}
