import { createHash } from 'node:crypto';
import type { ActivityRow } from '../../db/queries/activity.ts';
import { accountRows, escaped } from '../streams/accountRows.ts';
import type { ParsedRecord } from '../bitbucket/records.ts';
import { commentSchema, type Account, type ActivityEntry } from '../bitbucket/schemas.ts';
import { commentEntryKey, commentRow } from './commentRows.ts';
import { canonicalInstant } from '../streams/instants.ts';
import type { Item } from '../streams/streamReader.ts';

interface Kind {
  kind: ActivityRow['kind'];
  actor: Account | null;
  at: string;
}

/** Which of the four kinds an entry is; undefined for one with none, which occurs (facts 3.7). */
export function kindOf(entry: ActivityEntry): Kind | undefined {
  if (entry.comment !== null) {
    return { kind: 'comment', actor: entry.comment.user, at: entry.comment.created_on };
  }
  if (entry.update !== null) {
    return { kind: 'update', actor: entry.update.author, at: entry.update.date };
  }
  if (entry.approval !== null) {
    return { kind: 'approval', actor: entry.approval.user, at: entry.approval.date };
  }
  if (entry.changes_requested !== null) {
    return {
      kind: 'changes_requested',
      actor: entry.changes_requested.user,
      at: entry.changes_requested.date,
    };
  }
  return undefined;
}

/**
 * A JSON value without what may change under an entry that stays the same: of an account only its uuid counts (names
 * are shown as they are today), links not at all; keys are sorted.
 */
function lasting(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lasting);
  if (value === null || typeof value !== 'object') return value;
  if ('uuid' in value) return value.uuid;
  const entries = Object.entries(value).filter(([name]) => name !== 'links');
  return entries
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, inner]) => [name, lasting(inner)]);
}

/** In the place of the actor in the key of an entry that has none. */
export const NOBODY = 'nobody';

/**
 * Bitbucket gives entries no id (facts 3.7). A comment's entry is known by the comment; the others by kind, time and
 * actor, and an update also by what it says, since one action may leave several of them at the same moment. Source and
 * destination do not count: they turn null when a fork or branch goes.
 */
export function entryKey(found: Kind, entry: ActivityEntry, raw: unknown): string {
  if (found.kind === 'comment') return commentEntryKey(entry.comment?.id);
  const key = `${found.kind}:${canonicalInstant(found.at)}:${found.actor?.uuid ?? NOBODY}`;
  return found.kind === 'update' ? `${key}:${said(raw)}` : key;
}

const SAID = ['state', 'draft', 'title', 'description', 'reason', 'changes'];

function said(raw: unknown): string {
  const update: unknown = raw !== null && typeof raw === 'object' && 'update' in raw ? raw.update : {};
  const fields = Object.entries(update ?? {}).filter(([name]) => SAID.includes(name));
  return createHash('sha256')
    .update(JSON.stringify(lasting(Object.fromEntries(fields))))
    .digest('hex')
    .slice(0, 16);
}

/** An entry of a feed as an item; undefined for one that is none of the four kinds. */
export function activityItem(
  record: ParsedRecord<ActivityEntry>,
  observedAt: string,
): (Item & { row: ActivityRow }) | undefined {
  const { value, raw, storable } = record;
  const found = kindOf(value);
  if (found === undefined) return undefined;
  const number = value.pull_request.id;
  const key = entryKey(found, value, raw);
  const comment = fullComment(raw, storable);
  return {
    key: `${String(number)}/${key}`,
    raw,
    row: {
      pull_request_number: number,
      entry_key: key,
      kind: found.kind,
      actor_uuid: found.actor?.uuid ?? null,
      at: found.at,
      state: found.kind === 'update' ? escaped(value.update?.state ?? null) : null,
      comment_id: found.kind === 'comment' ? (value.comment?.id ?? null) : null,
      raw: ownPart(storable),
      observed_at: observedAt,
    },
    accounts: accountRows([found.actor], observedAt),
    ...(comment === undefined ? {} : { comment: commentRow(comment, number, observedAt) }),
  };
}

/**
 * What only the entry says. The pull request that each entry repeats is stored by itself, and so is a comment, whose text
 * a second row would store again.
 */
function ownPart(entry: unknown): unknown {
  if (entry === null || typeof entry !== 'object') return entry;
  return Object.fromEntries(
    Object.entries(entry).filter(([name]) => name !== 'pull_request' && name !== 'comment'),
  );
}

/**
 * The comment of an entry when it is there in full. A short one is no loss: the pull request then counts more comments
 * than are stored, and its own list is read.
 */
function fullComment(
  raw: unknown,
  storable: unknown,
): ParsedRecord<ReturnType<typeof commentSchema.parse>> | undefined {
  if (raw === null || typeof raw !== 'object' || !('comment' in raw)) return undefined;
  const { comment } = raw;
  if (comment === null || typeof comment !== 'object' || !('content' in comment)) return undefined;
  const parsed = commentSchema.safeParse(comment);
  if (!parsed.success || storable === null || typeof storable !== 'object' || !('comment' in storable))
    return undefined;
  return { value: parsed.data, raw: comment, storable: storable.comment };
}
