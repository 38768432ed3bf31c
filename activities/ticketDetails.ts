import { z } from 'zod';
import {
  countTicketRows,
  ticketsAfter,
  upsertTicketChanges,
  upsertTicketComments,
} from '../db/queries/tickets.ts';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { readRecords, type Page } from './bitbucket/paging.ts';
import type { ParsedRecords } from './bitbucket/records.ts';
import { issueChangeSchema, issueCommentSchema } from './bitbucket/schemas.ts';
import { before, OVERLAP_MS } from './instants.ts';
import { createNextGuard, MAX_RESTARTS } from './nextWalk.ts';
import { newestByKey } from './pullRequestRows.ts';
import { createCandidates } from './repairList.ts';
import type { Item, Position, ReaderContext, Step, StreamReader } from './streamReader.ts';
import { ticketChangeItem, ticketCommentItem } from './ticketRows.ts';

const positionSchema = z.object({
  /** tickets up to this number are settled */
  after: z.int(),
  /** the ticket in hand, when its list has further pages */
  ticket: z.int().nullable(),
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** only tickets changed since then; null: all */
  since: z.string().nullable(),
  read: z.int(),
});
type DetailPosition = z.infer<typeof positionSchema>;

const parsers = {
  ticket_comments: (answer: BitbucketAnswer, page: Page, ticket: number) =>
    itemsOf(readRecords(issueCommentSchema, answer, page), (record) =>
      ticketCommentItem(record, ticket, answer.observedAt),
    ),
  ticket_changes: (answer: BitbucketAnswer, page: Page, ticket: number) =>
    itemsOf(readRecords(issueChangeSchema, answer, page), (record) =>
      ticketChangeItem(record, ticket, answer.observedAt),
    ),
};

function itemsOf<T>(parsed: ParsedRecords<T>, itemOf: (record: ParsedRecords<T>['records'][number]) => Item) {
  return { items: parsed.records.map(itemOf), rejected: parsed.rejected };
}

/**
 * Reads the comments, or the changes, of each ticket that changed since the last time (at first: of each). Tickets carry
 * no counts (facts 3.8), but both move `updated_on`, so one that still has its first has neither. A full import asks all.
 *
 * `listed`: the watermark of the tickets. What changed behind it changed unseen here too, since their rows tell which
 * of them are read.
 */
export function createTicketDetailReader(
  context: ReaderContext,
  stream: 'ticket_comments' | 'ticket_changes',
  listed: string | null,
): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes, closing } = context;
  const list = stream === 'ticket_comments' ? 'comments' : 'changes';
  const guard = createNextGuard();
  const whole = mode === 'full' || checkpoint.watermark === null;

  const begin = (): DetailPosition => {
    const inHand = positionSchema.safeParse(checkpoint.position);
    if (inHand.success && (resumes || mode === 'changed' || inHand.data.since === null)) return inHand.data;
    return {
      after: 0,
      ticket: null,
      next: null,
      pages: 0,
      restarts: 0,
      since: whole || checkpoint.watermark === null ? null : before(checkpoint.watermark, OVERLAP_MS),
      read: 0,
    };
  };
  const { since } = begin();
  const candidates = createCandidates(async (after, limit) => {
    const numbers = await database.transaction(scope.organizationId, (tx) =>
      ticketsAfter(tx, scope, { after, since, touched: mode !== 'full', limit }),
    );
    return numbers.map((number) => ({ number }));
  });

  async function end({ read }: DetailPosition): Promise<Step> {
    const stored = await database.transaction(scope.organizationId, (tx) =>
      countTicketRows(tx, scope, stream),
    );
    const counted = closing?.whole ?? whole;
    const count = counted ? stored : read;
    return {
      kind: 'end',
      completion: {
        watermark: listed ?? checkpoint.watermark,
        rows: stored,
        whole: counted,
        progress: { storedInAll: count, expected: count, basis: 'counted' },
      },
    };
  }

  return {
    stream,
    begin,
    step: async (stored) => {
      const at = positionSchema.parse(stored);
      const number = at.ticket ?? (await candidates(at.after));
      if (number === undefined) return end(at);
      const path = `/repositories/${source.fullName}/issues/${String(number)}/${list}?pagelen=100`;
      return {
        kind: 'request',
        place: at.next === null ? { path } : { next: at.next },
        at: { ...at, ticket: number },
      };
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const at = positionSchema.parse(stored);
      const number = at.ticket ?? at.after;
      const page = guard(`${list} of a ticket`, answer, at);
      const { items, rejected } = parsers[stream](answer, page, number);
      const more = page.next !== null;
      return {
        items,
        rejected,
        values: page.values,
        position: {
          ...at,
          next: page.next,
          pages: more ? at.pages + 1 : 0,
          after: more ? at.after : number,
          ticket: more ? number : null,
          read: at.read + items.length,
        },
      };
    },
    store: async (tx, items) => {
      const rows = items.map((item) => item.row);
      const key = stream === 'ticket_comments' ? 'comment_id' : 'change_id';
      const unique = newestByKey(rows, (row) => `${String(row['ticket_number'])}/${String(row[key])}`);
      return (stream === 'ticket_comments' ? upsertTicketComments : upsertTicketChanges)(tx, scope, unique);
    },
    // Most tickets have few of either or none, and nothing tells how many.
    witness: (stored, place) => (positionSchema.parse(stored).next === null ? undefined : place),
    recover: (stored, error): Position | undefined => {
      const at = positionSchema.parse(stored);
      if (at.next !== null && (error.type === 'BadRequest' || error.type === 'NotFound')) {
        if (at.restarts >= MAX_RESTARTS) return undefined;
        return { ...at, next: null, pages: 0, restarts: at.restarts + 1 };
      }
      // One ticket may be gone (404, 410) while the tracker is there: what is stored of it stays.
      if (error.type !== 'NotFound' && error.type !== 'FeatureGone') return undefined;
      return { ...at, after: at.ticket ?? at.after, ticket: null, next: null, pages: 0 };
    },
  };
}
