import { storeOf } from '../streams/recordStores.ts';
import { z } from 'zod';
import { countTicketRows, ticketsAfter } from '../../db/queries/tickets.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readRecords, type Page } from '../bitbucket/paging.ts';
import type { ParsedRecords } from '../bitbucket/records.ts';
import { issueChangeSchema, issueCommentSchema } from '../bitbucket/schemas.ts';
import { aheadOfTickets } from '../../forecast/ahead.ts';
import { aheadSchema } from '../streams/aheadSchema.ts';
import { before, OVERLAP_MS } from '../streams/instants.ts';
import { createNextGuard } from '../streams/nextWalk.ts';
import {
  behindOwnPage,
  forgetRefusal,
  ownListFields,
  ownListPlace,
  readDoubt,
  recoverOwnList,
  startOwnLists,
} from '../streams/ownList.ts';
import { createCandidates } from '../streams/repairList.ts';
import { trackerGoneIf } from '../streams/streamErrors.ts';
import type { StreamNote } from '../../workflows/words.ts';
import type { Item, ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';
import { ticketChangeItem, ticketCommentItem } from './ticketRows.ts';

const positionSchema = z.object({
  ...ownListFields,
  /** only tickets changed since then; null: all */
  since: z.string().nullable(),
  /** the watermark of the tickets when the walk began; null: none was kept */
  reaches: z.string().nullable().default(null),
  /** so many of the tickets that were owed when the walk began are read by it */
  owed: z.int().default(0),
  /** the ticket in hand changed since it was created, so that an empty list of it need not be true */
  touched: z.boolean().default(true),
  /** records in the lists that were read to their end */
  listed: z.int(),
  /** tickets whose own list could not be had, since they are gone, or are not shown to this account */
  gone: z.int(),
  refused: z.int(),
  ahead: aheadSchema,
});
type DetailPosition = z.infer<typeof positionSchema>;

const uncounted = { listed: 0, gone: 0, refused: 0 };

const parsers = {
  ticket_comments: (answer: BitbucketAnswer, page: Page, ticket: number) =>
    itemsOf(readRecords(issueCommentSchema, answer, page, ticket), (record) =>
      ticketCommentItem(record, ticket, answer.observedAt),
    ),
  ticket_changes: (answer: BitbucketAnswer, page: Page, ticket: number) =>
    itemsOf(readRecords(issueChangeSchema, answer, page, ticket), (record) =>
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
 * of them are read. A walk in hand ends with the one that it began with: tickets that it has passed may have changed
 * since, whoever listed them.
 */
export function createTicketDetailReader(
  context: ReaderContext,
  stream: 'ticket_comments' | 'ticket_changes',
  listed: string | null,
): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes } = context;
  const list = stream === 'ticket_comments' ? 'comments' : 'changes';
  const guard = createNextGuard();
  const whole = mode === 'full' || checkpoint.watermark === null;
  const owed = owedTickets(checkpoint.memory);

  const begin = (): DetailPosition => {
    const inHand = positionSchema.safeParse(checkpoint.position);
    if (inHand.success && (resumes || inHand.data.since === null)) return inHand.data;
    if (inHand.success && mode === 'changed') {
      // Another import's: what it counted is not counted here, so the list in hand is read from its start.
      const { after } = inHand.data;
      return { ...inHand.data, ...uncounted, ...startOwnLists(), after };
    }
    return {
      ...startOwnLists(),
      since: whole || checkpoint.watermark === null ? null : before(checkpoint.watermark, OVERLAP_MS),
      reaches: listed,
      owed: owed.length,
      touched: true,
      ahead: null,
      ...uncounted,
    };
  };
  const { since, owed: taken } = begin();
  const lookedUp = new Map<number, { touched: boolean; behind: number }>();
  const candidates = createCandidates(async (after, limit) => {
    const tickets = await database.transaction(scope.organizationId, (tx) =>
      ticketsAfter(tx, scope, {
        after,
        since,
        owed: owed.slice(0, taken),
        touched: mode !== 'full',
        limit,
      }),
    );
    lookedUp.clear();
    for (const { number, ...ticket } of tickets) lookedUp.set(number, ticket);
    return tickets;
  });

  /** A ticket that is not in hand yet was looked up just now. */
  function foundOf(number: number): Pick<DetailPosition, 'touched' | 'ahead'> {
    const { touched, behind } = lookedUp.get(number) ?? { touched: true, behind: null };
    return { touched, ahead: behind === null ? null : aheadOfTickets(behind) };
  }

  async function end(at: DetailPosition): Promise<Step> {
    const rows = await database.transaction(scope.organizationId, (tx) => countTicketRows(tx, scope, stream));
    return {
      kind: 'end',
      completion: {
        watermark: at.reaches ?? checkpoint.watermark,
        rows,
        whole,
        memory: { owed: owed.slice(at.owed) },
        tally: { kind: 'announced', expected: at.listed, gone: 0, basis: 'own_lists' },
        notes: notesOn(at),
      },
    };
  }

  return {
    stream,
    begin,
    step: async (stored) => {
      const at = positionSchema.parse(stored);
      const number = at.inHand ?? (await candidates(at.after))?.number;
      if (number === undefined) return end(at);
      const all = `/repositories/${source.fullName}/issues`;
      const own = `${all}/${String(number)}/${list}?pagelen=100`;
      return {
        kind: 'request',
        place: ownListPlace(at, { own, all, number }),
        at: { ...at, inHand: number, ...(at.inHand === null ? foundOf(number) : {}) },
      };
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const at = positionSchema.parse(stored);
      if (at.doubted) {
        const read = readDoubt(at, answer, 'issues');
        const gone = at.gone + (read.end?.outcome === 'gone' ? 1 : 0);
        const refused = at.refused + 1 - (gone - at.gone);
        return { ...read, position: { ...read.position, gone, refused } };
      }
      const number = at.inHand ?? at.after;
      const name = `${list} of a ticket`;
      const page = guard(name, answer, at);
      const { items, rejected } = parsers[stream](answer, page, number);
      const { position, end: listEnd } = behindOwnPage(at, page, name);
      return {
        items,
        rejected,
        values: page.values,
        parent: number,
        position: {
          ...position,
          listed: at.listed + (listEnd === undefined ? 0 : listedOf(at, page)),
        },
      };
    },
    store: storeOf(stream, scope),
    // Nothing tells how many of either a ticket has, so nothing else speaks against a list of one that was touched; the
    // next import asks only for those touched since. Behind the first page an empty one is no list at all, and a ticket that
    // is not in the list of all is gone.
    witness: (stored, place) => {
      const { touched, doubted, next } = positionSchema.parse(stored);
      return next !== null || (touched && !doubted) ? place : undefined;
    },
    recover: (stored, error) => {
      const at = positionSchema.parse(stored);
      const found = recoverOwnList(at, error.type);
      if (found?.end === undefined) return found;
      return { position: { ...found.position, refused: at.refused + 1 } };
    },
    remember: async (stored, error) => {
      const at = positionSchema.parse(stored);
      const left = forgetRefusal(at, error);
      // Those that are asked again do not count as refused.
      return left && { ...left, refused: at.refused - (at.refusals - left.refusals) };
    },
    believedIf: (error) => trackerGoneIf(stream, source, error),
  };
}

/** What a list that has ended had. A `next` that led to its start showed records twice: its own size counts them once. */
function listedOf({ seen }: DetailPosition, { values, size }: Page): number {
  const read = seen + values.length;
  return Math.min(read, size ?? read);
}

const memorySchema = z.object({ owed: z.array(z.int()) });

/** Tickets that were stored out of turn: from quarantine, behind the watermark. */
function owedTickets(memory: Record<string, unknown> | null): number[] {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data.owed : [];
}

/** Tickets carry no counts, so it is not known how many records these lists would have had. */
const notesOn = ({ gone, refused }: DetailPosition): Record<string, StreamNote> => ({
  ...(gone === 0
    ? {}
    : {
        tickets_gone: {
          message: 'Tickets that were removed after they were listed; what they had cannot be counted.',
          count: gone,
        },
      }),
  ...(refused === 0
    ? {}
    : {
        tickets_not_permitted: {
          message: 'Tickets that Bitbucket does not show to this account; what they have cannot be counted.',
          count: refused,
        },
      }),
});
