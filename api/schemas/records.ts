import { z } from '@hono/zod-openapi';
import type { AccountRow, CommitRow, TicketRow } from '../../db/queries/api/records.ts';
import { unescapeText } from '../../db/text.ts';
import { instant, instantOrNull } from '../instant.ts';
import { timestamp } from './shared.ts';

export const textOrNull = (text: string | null): string | null => (text === null ? null : unescapeText(text));

export const account = z
  .strictObject({
    uuid: z.string(),
    display_name: z.string().nullable(),
    nickname: z.string().nullable(),
  })
  .openapi('Account');

export const presentAccount = (row: AccountRow | null): z.infer<typeof account> | null =>
  row === null
    ? null
    : { uuid: row.uuid, display_name: textOrNull(row.display_name), nickname: textOrNull(row.nickname) };

const signature = z.strictObject({
  name: z.string(),
  email: z.string(),
  at: timestamp.nullable().meta({ description: 'null: the commit says none that a clock can show' }),
  zone: z.string().meta({ description: 'the zone it was written in, e.g. +0530' }),
});

export const commitSchema = z
  .strictObject({
    hash: z.string(),
    parents: z.array(z.string()),
    author: signature,
    committer: signature,
    message: z.string(),
    lines_added: z.int().nullable(),
    lines_removed: z.int().nullable(),
    files_changed: z.int().nullable(),
    unreachable_since: timestamp.nullable().meta({
      description: 'since then no branch or tag leads to it: a forced push, or a branch that was deleted',
    }),
    files: z
      .array(
        z.strictObject({
          path: z.string(),
          old_path: z.string().nullable().meta({ description: 'where it was before a rename or copy' }),
          lines_added: z.int().nullable().meta({ description: 'null: a binary file' }),
          lines_removed: z.int().nullable(),
        }),
      )
      .nullable()
      .meta({ description: 'with `include=files` only' }),
  })
  .openapi('Commit');

export const ticketSchema = z
  .strictObject({
    number: z.int(),
    title: z.string(),
    content: z.string().nullable(),
    state: z.string(),
    kind: z.string().nullable(),
    priority: z.string().nullable(),
    reporter: account.nullable(),
    assignee: account.nullable(),
    component: z.string().nullable(),
    milestone: z.string().nullable(),
    version: z.string().nullable(),
    votes: z.int().nullable(),
    watches: z.int().nullable(),
    comments: z.int().meta({ description: 'how many are stored' }),
    created_on: timestamp,
    updated_on: timestamp,
    edited_on: timestamp.nullable(),
  })
  .openapi('Ticket');

export const presentCommit = (row: CommitRow): z.infer<typeof commitSchema> => ({
  hash: row.hash,
  parents: row.parents,
  author: {
    name: unescapeText(row.authorName),
    email: unescapeText(row.authorEmail),
    at: instantOrNull(row.authoredAt),
    zone: row.authorZone,
  },
  committer: {
    name: unescapeText(row.committerName),
    email: unescapeText(row.committerEmail),
    at: instantOrNull(row.committedAt),
    zone: row.committerZone,
  },
  message: unescapeText(row.message),
  lines_added: row.linesAdded,
  lines_removed: row.linesRemoved,
  files_changed: row.filesChanged,
  unreachable_since: instantOrNull(row.unreachableSince),
  files:
    row.files?.map((file) => ({
      path: unescapeText(file.path),
      old_path: textOrNull(file.old_path),
      lines_added: file.lines_added,
      lines_removed: file.lines_removed,
    })) ?? null,
});

export const presentTicket = (row: TicketRow): z.infer<typeof ticketSchema> => ({
  number: row.number,
  title: unescapeText(row.title),
  content: textOrNull(row.content),
  state: row.state,
  kind: row.kind,
  priority: row.priority,
  reporter: presentAccount(row.reporter),
  assignee: presentAccount(row.assignee),
  component: textOrNull(row.component),
  milestone: textOrNull(row.milestone),
  version: textOrNull(row.version),
  votes: row.votes,
  watches: row.watches,
  comments: row.comments,
  created_on: instant(row.createdOn),
  updated_on: instant(row.updatedOn),
  edited_on: instantOrNull(row.editedOn),
});
