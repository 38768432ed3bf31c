import type { ActivityRow } from '../../db/queries/activity.ts';
import type { CommentRow } from '../../db/queries/comments.ts';
import { accountRows, escaped } from '../streams/accountRows.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import type { Comment } from '../bitbucket/schemas.ts';
import type { Item } from '../streams/streamReader.ts';

export function commentRow(
  { value, storable }: ParsedRecord<Comment>,
  pullRequestNumber: number,
  observedAt: string,
): CommentRow {
  return {
    pull_request_number: pullRequestNumber,
    comment_id: value.id,
    parent_id: value.parent?.id ?? null,
    author_uuid: value.user?.uuid ?? null,
    content: escaped(value.content?.raw ?? null),
    inline_path: escaped(value.inline?.path ?? null),
    inline_from: value.inline?.from ?? null,
    inline_to: value.inline?.to ?? null,
    deleted: value.deleted ?? false,
    pending: value.pending ?? false,
    resolved: value.resolution !== null && value.resolution !== undefined,
    created_on: value.created_on,
    updated_on: value.updated_on,
    observed_at: observedAt,
    raw: storable,
  };
}

/** A comment's key among the entries of the activity. */
export const commentEntryKey = (id: number | undefined): string => `comment:${String(id)}`;

/**
 * The entry of a comment that came from the pull request's own list of comments, for where the feed does not show it. Its
 * raw value says where it comes from.
 */
function activityOfComment(value: Comment, pullRequestNumber: number, observedAt: string): ActivityRow {
  return {
    pull_request_number: pullRequestNumber,
    entry_key: commentEntryKey(value.id),
    kind: 'comment',
    actor_uuid: value.user?.uuid ?? null,
    at: value.created_on,
    state: null,
    comment_id: value.id,
    raw: { from: 'comments' },
    observed_at: observedAt,
  };
}

export function commentItem(
  record: ParsedRecord<Comment>,
  pullRequestNumber: number,
  observedAt: string,
): Item {
  return {
    key: `${String(pullRequestNumber)}/${String(record.value.id)}`,
    raw: record.raw,
    row: commentRow(record, pullRequestNumber, observedAt),
    activity: activityOfComment(record.value, pullRequestNumber, observedAt),
    accounts: accountRows([record.value.user], observedAt),
  };
}
