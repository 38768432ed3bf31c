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
 * Numbers of tickets above `after` that changed since `since` (null: all), in order; `touched`: without those that nothing
 * has changed since they were created.
 */
export async function ticketsAfter(
  tx: Transaction,
  scope: RepositoryScope,
  range: { after: number; since: string | null; touched: boolean; limit: number },
): Promise<number[]> {
  const rows = await tx.execute<{ number: number }>(sql`
    select number from tickets
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
      and number > ${range.after}
      and (${range.since}::timestamptz is null or updated_on >= ${range.since}::timestamptz)
      and (not ${range.touched} or updated_on > created_on)
    order by number limit ${range.limit}`);
  return rows.map((row) => row.number);
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
