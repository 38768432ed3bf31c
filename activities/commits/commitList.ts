import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { readStoredHeads } from '../../db/queries/listedCommits.ts';
import { hasUnreachable, markByHeads } from '../../db/queries/unreachable.ts';
import { readRecords } from '../bitbucket/paging.ts';
import { commitSchema } from '../bitbucket/schemas.ts';
import { canonicalInstant } from '../streams/instants.ts';
import {
  behindRefusal,
  isEndDoubted,
  isLookDue,
  positionSchema,
  start,
  withoutList,
  type CommitPosition,
} from './commitPosition.ts';
import { commitItem } from './listedRows.ts';
import { readOutlook, without } from './outlook.ts';
import { createNextGuard, refusesNext } from '../streams/nextWalk.ts';
import { storeOf } from '../streams/recordStores.ts';
import type { Completion, Place, ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';

/** What imports left behind. */
const memorySchema = z.object({
  /** what the last one completed: by the API, or by git */
  listed: z.array(z.string()).optional(),
  completed: z.array(z.string()).optional(),
  /** commits may be out of reach that could not be marked so, since nobody knew what is */
  unmarked: z.boolean().optional(),
  /** commits that only others name as their parents, and that the host does not know: it has collected them as garbage */
  lost: z.array(z.string()).optional(),
  /** the lists of the last one left something out, and a commit in quarantine may hide what */
  doubted: z.boolean().optional(),
});
type CommitMemory = z.infer<typeof memorySchema>;

/** The first leaves out what earlier imports completed; another looks for what is missing still, wherever it is. */
const MAX_LISTS = 3;
/** Longer than this, parameters go into a form: an address of some thousand characters is refused on the way. */
const MAX_QUERY = 2_000;

/**
 * Reads the commits that the stored branches and tags lead to, newest first, without line counts and files. What is to
 * be read follows from Postgres alone: a hash that a ref or a stored commit's parents name and that is not stored. So a
 * walk that broke off goes on from what is missing even where its `next` is refused, an unchanged repository costs no
 * request, and a list that left something out is found out. Nothing is missing: everything is stored. Only what a commit in
 * quarantine leads to is named by nobody: while there is one, a list is read to its end, and what is
 * new is listed once more where a list may have left something out.
 */
export function createCommitReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes } = context;
  const guard = createNextGuard();
  const memory = readMemory(checkpoint.memory);
  const path = `/repositories/${source.fullName}/commits?pagelen=100`;
  // A full import asks again for all that the host did not know once.
  const lost = mode === 'full' ? [] : (memory.lost ?? []);
  const look = ({ unknown }: CommitPosition) =>
    database.transaction(scope.organizationId, (tx) => readOutlook(tx, scope, { lost, unknown }));

  function placeOf(include: readonly string[], exclude: readonly string[]): Place {
    const form = [
      ...include.map((hash) => `include=${hash}`),
      ...exclude.map((hash) => `exclude=${hash}`),
    ].join('&');
    if (form === '') return { path };
    return form.length > MAX_QUERY ? { path, form } : { path: `${path}&${form}` };
  }

  /**
   * Begins the list of what is missing. Where nothing is, that of all that is new, if a commit in quarantine may hide what
   * a list left out. Where neither is due, or looking did not help, it is the end.
   */
  async function nextList(position: CommitPosition): Promise<Step> {
    const { lists, unknown } = position;
    const { rows, open, hides } = await look(position);
    const isFirst = lists === 0;
    if (isFirst && (rows === 0 ? open.length > 0 && unknown.length === 0 : mode === 'full')) {
      return { kind: 'request', place: { path }, at: { ...position, all: true } };
    }
    const doubted = position.doubted || (!isFirst && open.length > 0);
    const known = without(completedBy(memory), unknown);
    if (lists < MAX_LISTS && open.length > 0) {
      return {
        kind: 'request',
        place: placeOf(open, isFirst ? known : []),
        at: { ...position, doubted, all: false },
      };
    }
    if (lists < MAX_LISTS && doubted && hides) {
      return { kind: 'request', place: placeOf([], known), at: { ...position, doubted, all: true } };
    }
    return { kind: 'end', completion: await complete({ ...position, doubted }) };
  }

  async function complete({ unknown, began, doubted }: CommitPosition): Promise<Completion> {
    const { outlook, heads, marked } = await database.transaction(scope.organizationId, async (tx) => ({
      outlook: await readOutlook(tx, scope, { lost, unknown }),
      heads: await readStoredHeads(tx, scope),
      marked: await hasUnreachable(tx, scope),
    }));
    const { rows, missing, missingHeads, open, hides } = outlook;
    const now = new Set(heads);
    const isLeft = completedBy(memory).some((head) => !now.has(head));
    const isDoubted = doubted && hides;
    // Where the one head is in quarantine, what was complete before still is: else the next list would lead to the root.
    const listed = hides && heads.length === 0 ? completedBy(memory) : heads;
    // How much it hides nobody knows.
    const lacking = isDoubted ? Math.max(1, open.length) : open.length;
    const gone = missing.length - open.length;
    const allLost = without(missing, [...open, ...missingHeads]);
    // A head that is none any more may leave commits out of reach, one that came may bring such back, and of what a list
    // brought that went on after a while the branch may be gone.
    const hasRead = began !== null;
    const isToMark = isLeft || marked || memory.unmarked === true || hasRead || mode === 'full';
    const isCut = lacking > 0 || hides;
    return {
      watermark: began ?? checkpoint.watermark,
      rows,
      whole: true,
      memory: {
        listed: lacking === 0 ? listed : [],
        ...(isToMark && isCut ? { unmarked: true } : {}),
        ...(allLost.length > 0 ? { lost: allLost } : {}),
        ...(isDoubted ? { doubted: true } : {}),
      },
      ...(isToMark ? { also: (tx: Transaction) => markByHeads(tx, { ...scope, heads, isCut }) } : {}),
      tally: { kind: 'counted', stored: rows, gone, notPermitted: 0, lacking, basis: 'counted' },
    };
  }

  return {
    stream: 'commits',
    begin: () => {
      const inHand = positionSchema.safeParse(checkpoint.position);
      if (inHand.success && resumes) return inHand.data;
      if (inHand.success && mode === 'changed') return { ...inHand.data, lists: 0, restarts: 0 };
      return { ...start, doubted: memory.doubted === true };
    },
    async step(stored) {
      const position = positionSchema.parse(stored);
      const { next } = position;
      if (next === null) return nextList(position);
      if (isLookDue(position)) {
        const { open, hides } = await look(position);
        if (open.length === 0 && !hides) return { kind: 'end', completion: await complete(position) };
        // What the rest of this list may show, the list of all that is new shows sooner.
        if (open.length === 0 && position.doubted) return nextList(withoutList(position));
      }
      return { kind: 'request', place: { next }, at: position };
    },
    ahead: (stored) => {
      const position = positionSchema.parse(stored);
      return position.next === null || isLookDue(position) ? undefined : { next: position.next };
    },
    read: (stored, answer) => {
      const position = positionSchema.parse(stored);
      const page = guard('commits', answer, position);
      const { records, rejected } = readRecords(commitSchema, answer, page);
      const hasEnded = page.next === null;
      return {
        items: records.map(commitItem),
        rejected,
        values: page.values,
        position: {
          ...position,
          next: page.next,
          pages: hasEnded ? 0 : position.pages + 1,
          lists: position.lists + (hasEnded ? 1 : 0),
          doubted: hasEnded ? isEndDoubted(position, page.values, rejected) : position.doubted,
          began: position.began ?? canonicalInstant(answer.date ?? answer.observedAt),
        },
      };
    },
    store: storeOf('commits', scope),
    // A list that is falsely empty leaves something missing.
    witness: () => undefined,
    recover: (stored, error) => {
      const position = behindRefusal(positionSchema.parse(stored), error);
      return position === undefined ? undefined : { position };
    },
    // Whoever tries again begins a new list: a refused `next` stays refused.
    remember: async (stored, { type }) => {
      const position = positionSchema.parse(stored);
      return refusesNext(position.next, type) ? { ...withoutList(position), restarts: 0 } : undefined;
    },
  };
}

function readMemory(stored: Record<string, unknown> | null): CommitMemory {
  const known = memorySchema.safeParse(stored);
  return known.success ? known.data : {};
}

const completedBy = ({ listed, completed }: CommitMemory): readonly string[] => listed ?? completed ?? [];
