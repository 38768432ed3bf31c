import { escapeJson } from '../../db/text.ts';
import { accountRows, escaped } from '../streams/accountRows.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import type { Issue, IssueChange, IssueComment } from '../bitbucket/schemas.ts';
import type { Item } from '../streams/streamReader.ts';

export function ticketItem({ value, raw, storable }: ParsedRecord<Issue>, observedAt: string): Item {
  return {
    key: String(value.id),
    raw,
    row: {
      number: value.id,
      title: escaped(value.title),
      content: escaped(value.content?.raw ?? null),
      state: escaped(value.state),
      kind: escaped(value.kind),
      priority: escaped(value.priority),
      reporter_uuid: value.reporter?.uuid ?? null,
      assignee_uuid: value.assignee?.uuid ?? null,
      component: escaped(value.component?.name ?? null),
      milestone: escaped(value.milestone?.name ?? null),
      version: escaped(value.version?.name ?? null),
      votes: value.votes,
      watches: value.watches,
      created_on: value.created_on,
      updated_on: value.updated_on,
      edited_on: value.edited_on,
      observed_at: observedAt,
      raw: storable,
    },
    accounts: accountRows([value.reporter, value.assignee], observedAt),
  };
}

export function ticketCommentItem(
  { value, raw, storable }: ParsedRecord<IssueComment>,
  ticket: number,
  observedAt: string,
): Item {
  return {
    key: `${String(ticket)}/${String(value.id)}`,
    raw,
    row: {
      ticket_number: ticket,
      comment_id: value.id,
      author_uuid: value.user?.uuid ?? null,
      content: escaped(value.content?.raw ?? null),
      created_on: value.created_on,
      updated_on: value.updated_on,
      observed_at: observedAt,
      raw: storable,
    },
    accounts: accountRows([value.user], observedAt),
  };
}

export function ticketChangeItem(
  { value, raw, storable }: ParsedRecord<IssueChange>,
  ticket: number,
  observedAt: string,
): Item {
  return {
    key: `${String(ticket)}/${String(value.id)}`,
    raw,
    row: {
      ticket_number: ticket,
      change_id: value.id,
      author_uuid: value.user?.uuid ?? null,
      changes: escapeJson(value.changes),
      message: escaped(value.message?.raw ?? null),
      created_on: value.created_on,
      observed_at: observedAt,
      raw: storable,
    },
    accounts: accountRows([value.user], observedAt),
  };
}
