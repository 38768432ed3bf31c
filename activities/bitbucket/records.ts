import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { escapeJson } from '../../db/text.ts';

export interface ParsedRecord<T> {
  value: T;
  /** the record as JSON.parse gave it */
  raw: unknown;
  /** the same as a raw column takes it (`db/text.ts`) */
  storable: unknown;
}

/** A record that cannot be stored: for quarantine. */
export interface RejectedRecord {
  /** its key where it could be read, else `sha256:` and a hash of its bytes */
  key: string;
  /** its bytes; as they came when `texts` were given */
  raw: Uint8Array;
  reason: string;
  /** its place in the page, from 0 */
  index: number;
  /** the pull request or ticket it belongs to, where that is known */
  parent: number | null;
}

export interface ParsedRecords<T> {
  records: ParsedRecord<T>[];
  rejected: RejectedRecord[];
}

/** Deeper nesting would overflow the stack of JSON.stringify here and of jsonb in Postgres. */
const MAX_DEPTH = 200;

function tooDeep(value: unknown, depth = 0): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (depth >= MAX_DEPTH) return true;
  return Object.values(value).some((entry) => tooDeep(entry, depth + 1));
}

/** `branch/…` or `tag/…`: both may have the same name. */
export function refKeyOf(value: unknown): string | undefined {
  if (value === null || typeof value !== 'object' || !('name' in value) || !('type' in value))
    return undefined;
  const { type, name } = value;
  return (type === 'branch' || type === 'tag') && typeof name === 'string' ? `${type}/${name}` : undefined;
}

function keyOf(value: unknown, raw: Uint8Array): string {
  if (value !== null && typeof value === 'object') {
    if ('id' in value && Number.isSafeInteger(value.id)) return String(value.id);
    if ('uuid' in value && typeof value.uuid === 'string') return value.uuid;
    if ('hash' in value && typeof value.hash === 'string') return value.hash;
    const ref = refKeyOf(value) ?? commentEntryKeyOf(value);
    if (ref !== undefined) return ref;
  }
  return keyOfBytes(raw);
}

/** Of a comment's entry in the activity, under the key that it is stored under; no other kind of entry has an id. */
function commentEntryKeyOf(value: object): string | undefined {
  const parent = parentOf(value);
  if (parent === null || !('comment' in value)) return undefined;
  const { comment } = value;
  if (comment === null || typeof comment !== 'object' || !('id' in comment)) return undefined;
  return Number.isSafeInteger(comment.id) ? `${String(parent)}/comment:${String(comment.id)}` : undefined;
}

/** Of an entry of the activity feed, which names its pull request. */
function parentOf(value: unknown): number | null {
  if (value === null || typeof value !== 'object' || !('pull_request' in value)) return null;
  const parent = value.pull_request;
  if (parent === null || typeof parent !== 'object' || !('id' in parent)) return null;
  return typeof parent.id === 'number' && Number.isInteger(parent.id) && parent.id > 0 && parent.id < 2 ** 31
    ? parent.id
    : null;
}

/** The key of a record that has none, or none that can be read. */
export const keyOfBytes = (raw: Uint8Array): string =>
  `sha256:${createHash('sha256').update(raw).digest('hex')}`;

function reasonOf(error: z.ZodError): string {
  const [issue] = error.issues;
  if (issue === undefined) return 'does not have the expected shape';
  return `${issue.path.map(String).join('.') || 'the record'}: ${issue.message}`;
}

export interface ParseOptions {
  texts?: readonly Uint8Array[];
  plain?: boolean;
  parent?: number | undefined;
}

/**
 * Reads every value of a page by itself, so that one bad record never costs the others.
 * `texts` are the values' own bytes (`recordTexts`), in the same order; without them a rejected record is
 * written out again from what JSON.parse made of it. `plain`: no text of the page needs an escape. `parent`: the pull
 * request or ticket whose own list this is.
 */
export function parseRecords<T>(
  schema: z.ZodType<T>,
  values: readonly unknown[],
  { texts, plain = false, parent }: ParseOptions = {},
): ParsedRecords<T> {
  const records: ParsedRecord<T>[] = [];
  const rejected: RejectedRecord[] = [];
  values.forEach((raw, index) => {
    const deep = tooDeep(raw);
    const parsed = deep ? undefined : schema.safeParse(raw);
    if (parsed?.success) {
      records.push({ value: parsed.data, raw, storable: plain ? raw : escapeJson(raw) });
      return;
    }
    const bytes = texts?.[index] ?? new TextEncoder().encode(deep ? '' : JSON.stringify(raw));
    const reason =
      parsed === undefined ? `is nested deeper than ${String(MAX_DEPTH)} levels` : reasonOf(parsed.error);
    const key = keyOf(raw, bytes);
    rejected.push({
      key: parent === undefined ? key : `${String(parent)}/${key}`,
      raw: bytes,
      reason,
      index,
      parent: parent ?? parentOf(raw),
    });
  });
  return { records, rejected };
}
