import type { z } from 'zod';
import { activityItem } from '../pullRequests/activityRows.ts';
import { parseRecords, type ParsedRecord } from '../bitbucket/records.ts';
import {
  activitySchema,
  branchSchema,
  commentSchema,
  commitSchema,
  issueChangeSchema,
  issueCommentSchema,
  issueSchema,
  pullRequestSchema,
  tagSchema,
} from '../bitbucket/schemas.ts';
import { commentItem } from '../pullRequests/commentRows.ts';
import { branchItem, commitItem, tagItem } from '../commits/listedRows.ts';
import { pullRequestItem } from '../pullRequests/pullRequestRows.ts';
import type { Stream } from '../../workflows/words.ts';
import type { Item } from '../streams/streamReader.ts';
import { ticketChangeItem, ticketCommentItem, ticketItem } from '../tickets/ticketRows.ts';

/** A record as quarantine kept it. */
export interface KeptRecord {
  raw: Uint8Array;
  /** the pull request or ticket it belongs to */
  parent: number | null;
  /** Postgres' clock when the request that brought it was made */
  observedAt: string;
}

type Parsed = { item: Item } | { reason: string };

const utf8 = new TextDecoder('utf-8', { fatal: true });
const NO_PARENT = 'belongs to a pull request or ticket that is not known';
const NO_KIND = 'is an entry of none of the known kinds';

function parserOf<T>(
  schema: z.ZodType<T>,
  itemOf: (record: ParsedRecord<T>, kept: KeptRecord) => Item | string,
) {
  return (value: unknown, kept: KeptRecord): Parsed => {
    const { records, rejected } = parseRecords(schema, [value], { texts: [kept.raw] });
    const [record] = records;
    if (record === undefined) return { reason: rejected[0]?.reason ?? 'does not have the expected shape' };
    const item = itemOf(record, kept);
    return typeof item === 'string' ? { reason: item } : { item };
  };
}

const parseBranch = parserOf(branchSchema, (record, { observedAt }) => branchItem(record, observedAt));
const parseTag = parserOf(tagSchema, (record, { observedAt }) => tagItem(record, observedAt));
const isTag = (value: unknown): boolean =>
  value !== null && typeof value === 'object' && 'type' in value && value.type === 'tag';

const PARSERS: Record<Stream, (value: unknown, kept: KeptRecord) => Parsed> = {
  refs: (value, kept) => (isTag(value) ? parseTag : parseBranch)(value, kept),
  commits: parserOf(commitSchema, (record) => commitItem(record)),
  pull_requests: parserOf(pullRequestSchema, (record, { observedAt }) => pullRequestItem(record, observedAt)),
  pull_request_activity: parserOf(
    activitySchema,
    (record, { observedAt }) => activityItem(record, observedAt) ?? NO_KIND,
  ),
  pull_request_comments: parserOf(commentSchema, (record, { parent, observedAt }) => {
    const number = parent ?? record.value.pullrequest?.id;
    return number === undefined ? NO_PARENT : commentItem(record, number, observedAt);
  }),
  tickets: parserOf(issueSchema, (record, { observedAt }) => ticketItem(record, observedAt)),
  ticket_comments: parserOf(issueCommentSchema, (record, { parent, observedAt }) =>
    parent === null ? NO_PARENT : ticketCommentItem(record, parent, observedAt),
  ),
  ticket_changes: parserOf(issueChangeSchema, (record, { parent, observedAt }) =>
    parent === null ? NO_PARENT : ticketChangeItem(record, parent, observedAt),
  ),
};

/** Reads a record from its bytes with the schemas of now, as if its page had come now. Never throws. */
export function parseQuarantined(stream: Stream, kept: KeptRecord): Parsed {
  let value: unknown;
  try {
    value = JSON.parse(utf8.decode(kept.raw));
  } catch {
    return { reason: 'is no JSON' };
  }
  return PARSERS[stream](value, kept);
}
