import { z } from 'zod';
import type { Transaction } from '../../db/client.ts';
import { type CommitsStand, readCommitsStand, readStoredHeads } from '../../db/queries/listedCommits.ts';
import { hasUnreachable, hidesCommits, markByHeads } from '../../db/queries/unreachable.ts';
import { readRecords } from '../bitbucket/paging.ts';
import { commitSchema } from '../bitbucket/schemas.ts';
import type { BitbucketError } from '../bitbucket/errors.ts';
import { canonicalInstant } from '../streams/instants.ts';
import { commitItem } from './listedRows.ts';
import { createNextGuard, MAX_RESTARTS, refusesNext } from '../streams/nextWalk.ts';
import { storeOf } from '../streams/recordStores.ts';
import type { Completion, Place, ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';

const positionSchema = z.object({
  /** lists that were read to their end */
  lists: z.int(),
  /** the list in hand is of everything, not of what is missing */
  all: z.boolean(),
  /** null: no list is in hand */
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** commits of which the host says that it does not know them (any more) */
  unknown: z.array(z.string()),
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
});
type CommitPosition = z.infer<typeof positionSchema>;

const start: CommitPosition = {
  lists: 0,
  all: false,
  next: null,
  pages: 0,
  restarts: 0,
  unknown: [],
  began: null,
};

const noList = { next: null, pages: 0 };

/** What imports left behind. */
const memorySchema = z.object({
  /** what the last one completed: by the API, or by git */
  listed: z.array(z.string()).optional(),
  completed: z.array(z.string()).optional(),
  /** commits may be out of reach that could not be marked so, since nobody knew what is */
  unmarked: z.boolean().optional(),
  /** commits that only others name as their parents, and that the host does not know: it has collected them as garbage */
  lost: z.array(z.string()).optional(),
});
type CommitMemory = z.infer<typeof memorySchema>;

/** The first leaves out what earlier imports completed; another looks for what is missing still, wherever it is. */
const MAX_LISTS = 3;
/** A host that knows of none of our commits is no host of theirs. */
const MAX_UNKNOWN = 1_000;
/** Longer than this, parameters go into a form: an address of some thousand characters is refused on the way. */
const MAX_QUERY = 2_000;

/**
 * Reads the commits that the stored branches and tags lead to, newest first, without line counts and files. What is to
 * be read follows from Postgres alone: a hash that a ref or a stored commit's parents name and that is not stored. So a
 * walk that broke off goes on from what is missing even where its `next` is refused, an unchanged repository costs no
 * request, and a list that left something out is found out. Nothing is missing: everything is stored.
 */
export function createCommitReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes } = context;
  const guard = createNextGuard();
  const memory = readMemory(checkpoint.memory);
  const path = `/repositories/${source.fullName}/commits?pagelen=100`;
  const look = () => database.transaction(scope.organizationId, (tx) => readCommitsStand(tx, scope));
  // Only a full import asks again for what the host did not know once.
  const lost = mode === 'full' ? [] : (memory.lost ?? []);

  /** What is missing and to be asked for. A branch that leads to what was lost has brought it back. */
  const openOf = ({ missing, missingHeads }: CommitsStand, unknown: readonly string[]): string[] =>
    withoutUnknown([...withoutUnknown(missing, lost), ...missingHeads], unknown);

  function placeOf(include: readonly string[], exclude: readonly string[]): Place {
    const form = [
      ...include.map((hash) => `include=${hash}`),
      ...exclude.map((hash) => `exclude=${hash}`),
    ].join('&');
    return form.length > MAX_QUERY ? { path, form } : { path: `${path}&${form}` };
  }

  /** Begins the list of what is missing; where nothing is, or looking did not help, it is the end. */
  async function nextList(position: CommitPosition): Promise<Step> {
    const { lists, unknown } = position;
    const stand = await look();
    const open = openOf(stand, unknown);
    const isFirst = lists === 0;
    if (isFirst && (stand.rows === 0 ? open.length > 0 && unknown.length === 0 : mode === 'full')) {
      return { kind: 'request', place: { path }, at: { ...position, all: true } };
    }
    if (open.length === 0 || lists >= MAX_LISTS) {
      return { kind: 'end', completion: await complete(position) };
    }
    const known = isFirst ? withoutUnknown(completedBy(memory), unknown) : [];
    return { kind: 'request', place: placeOf(open, known), at: { ...position, all: false } };
  }

  async function complete({ unknown, began }: CommitPosition): Promise<Completion> {
    const { stand, heads, marked, hides } = await database.transaction(scope.organizationId, async (tx) => ({
      stand: await readCommitsStand(tx, scope),
      heads: await readStoredHeads(tx, scope),
      marked: await hasUnreachable(tx, scope),
      hides: await hidesCommits(tx, scope),
    }));
    const { rows } = stand;
    const now = new Set(heads);
    const isLeft = completedBy(memory).some((head) => !now.has(head));
    const open = openOf(stand, unknown);
    const lacking = open.length;
    const gone = stand.missing.length - lacking;
    const allLost = withoutUnknown(stand.missing, [...open, ...stand.missingHeads]);
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
        listed: lacking === 0 ? heads : [],
        ...(isToMark && isCut ? { unmarked: true } : {}),
        ...(allLost.length > 0 ? { lost: allLost } : {}),
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
      return inHand.success && mode === 'changed' ? { ...inHand.data, lists: 0, restarts: 0 } : start;
    },
    async step(stored) {
      const position = positionSchema.parse(stored);
      const { next, unknown } = position;
      if (next === null) return nextList(position);
      if (isLookDue(position) && openOf(await look(), unknown).length === 0) {
        return { kind: 'end', completion: await complete(position) };
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
      return refusesNext(position.next, type) ? { ...position, ...noList, restarts: 0 } : undefined;
    },
  };
}

/**
 * Where to go on after a refusal: without the commits that the host does not know (after a force-push they are collected
 * as garbage, facts 3.6), or with a new list where a stored `next` is refused. Undefined: the error stands.
 */
function behindRefusal(
  position: CommitPosition,
  { type, finding }: BitbucketError,
): CommitPosition | undefined {
  const { next, restarts } = position;
  const again = { ...position, ...noList };
  const unknown = [...new Set([...position.unknown, ...shasOf(finding.details?.['shas'])])];
  if (unknown.length > position.unknown.length && unknown.length <= MAX_UNKNOWN) return { ...again, unknown };
  if (!refusesNext(next, type) || restarts >= MAX_RESTARTS) return undefined;
  return { ...again, restarts: restarts + 1 };
}

/** Only hashes: what else an answer says there must not come into a stored position. */
const shasOf = (shas: unknown): string[] =>
  Array.isArray(shas) ? shas.filter((sha) => typeof sha === 'string' && /^[0-9a-f]{7,40}$/.test(sha)) : [];

function withoutUnknown(hashes: readonly string[], unknown: readonly string[]): string[] {
  const left = new Set(hashes);
  for (const hash of unknown) left.delete(hash);
  return [...left];
}

function readMemory(stored: Record<string, unknown> | null): CommitMemory {
  const known = memorySchema.safeParse(stored);
  return known.success ? known.data : {};
}

const completedBy = ({ listed, completed }: CommitMemory): readonly string[] => listed ?? completed ?? [];

/**
 * Behind pages 1, 2, 4, 8 … of a list of what is missing: the host may not know any more what earlier imports completed,
 * and then lists all that is behind it too.
 */
const isLookDue = ({ all, pages }: CommitPosition): boolean =>
  !all && pages > 0 && Number.isInteger(Math.log2(pages));
