import { z } from 'zod';
import { countActivity } from '../../db/queries/activity.ts';
import { countComments, pullRequestsShortOfComments } from '../../db/queries/comments.ts';
import { commentStanding, recordCommentGap } from '../../db/queries/gaps.ts';
import { recountStream } from '../../db/queries/importProgress.ts';
import {
  firstStillWanted,
  letGoUnknown,
  letGoWanted,
  type Wanted,
} from '../../db/queries/wantedPullRequests.ts';
import { COMMENT_FIELDS } from '../bitbucket/fields.ts';
import { readRecords } from '../bitbucket/paging.ts';
import { commentSchema } from '../bitbucket/schemas.ts';
import { commentItem } from './commentRows.ts';
import { before, OVERLAP_MS } from '../streams/instants.ts';
import { createNextGuard } from '../streams/nextWalk.ts';
import { noteOnMissedComments, notesOnGaps } from '../streams/notes.ts';
import {
  behindOwnPage,
  forgetRefusal,
  ownListFields,
  ownListPlace,
  readDoubt,
  recoverOwnList,
  startOwnLists,
} from '../streams/ownList.ts';
import { createCandidates, knownShort } from '../streams/repairList.ts';
import { storeOf } from '../streams/recordStores.ts';
import type { ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';

const positionSchema = z.object({
  ...ownListFields,
  /** comments of pull requests changed since then are read again; null: only where they fall short */
  since: z.string().nullable(),
  /** the watermark of the pull requests when the walk began; null: none was kept */
  reaches: z.string().nullable().default(null),
  read: z.int(),
  /** pull requests that were asked because their stored comments do not match `comment_count` */
  contradicted: z.int().default(0),
  /** one of them is not shown any more: is the repository? */
  probe: z.boolean(),
});
type CommentPosition = z.infer<typeof positionSchema>;

const MAX_REMEMBERED = 5_000;
/** Fewer than a chunk reads: it looks for more when it needs them, and what it has no use for the next one looks for again. */
const LOOKED_UP = 10;

/**
 * Completes the comments. Most come with the activity feed, which shows them in full; here the lists are read of those
 * pull requests whose stored comments do not match `comment_count` (it leaves out deleted ones), and of those that
 * changed since the last time: edits and deletions of old comments show nowhere else (facts 3.7). Entries that the feed
 * left out follow from the comments.
 *
 * `feedBegan`: when the last walk of the whole feed began, by Bitbucket's clock: what is stored by it is as new as that.
 * `listed`: the watermark of the pull requests. What changed behind it changed unseen here too, since their rows tell
 * whose comments are read. A walk in hand ends with the one that it began with: pull requests that it has passed may
 * have changed since, whoever listed them.
 * `wanted`: a delivery told of their comments what need move nothing that a list shows; wanted since before the first answer.
 */
export function createCommentReader(
  context: ReaderContext,
  {
    feedBegan,
    listed,
    wanted,
  }: { feedBegan: string | null; listed: string | null; wanted: readonly Wanted[] },
): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes, closing } = context;
  const guard = createNextGuard();
  const whole = mode === 'full' || checkpoint.watermark === null;
  const known = whole ? {} : knownShort(checkpoint.memory);
  const counted = closing?.whole ?? whole;
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);

  const begin = (): CommentPosition => {
    const inHand = positionSchema.safeParse(checkpoint.position);
    if (inHand.success && (resumes || mode === 'changed')) return inHand.data;
    const since = whole ? feedBegan : checkpoint.watermark;
    return {
      ...startOwnLists(),
      since: since === null ? null : before(since, OVERLAP_MS),
      reaches: listed,
      read: 0,
      contradicted: 0,
      probe: false,
    };
  };
  const { since } = begin();
  const candidates = createCandidates(
    (after, limit) =>
      inTransaction(async (tx) => {
        const short = await pullRequestsShortOfComments(tx, scope, { after, known, limit, since });
        const behind = wanted.filter(({ number }) => number > after);
        if (behind.length === 0) return short;
        const told = await firstStillWanted(tx, scope, { part: 'comments', wanted: behind, limit });
        const all = new Map(told.map(({ number }) => [number, { number, short: false }]));
        for (const one of short) all.set(one.number, one);
        return [...all.values()].toSorted((one, other) => one.number - other.number).slice(0, limit);
      }),
    LOOKED_UP,
  );
  /** lists that this reader reads from their first page */
  const begun = new Set<number>();

  async function end({ read, reaches, contradicted }: CommentPosition): Promise<Step> {
    const [rows, standing, left] = await inTransaction((tx) =>
      Promise.all([
        countComments(tx, scope),
        commentStanding(tx, scope),
        pullRequestsShortOfComments(tx, scope, { after: 0, since: null, known: {}, limit: MAX_REMEMBERED }),
      ]),
    );
    return {
      kind: 'end',
      completion: {
        watermark: reaches ?? checkpoint.watermark,
        rows,
        whole: counted,
        also: async (tx) => {
          if (wanted.length > 0) await letGoUnknown(tx, scope);
          if (!counted) return;
          const activity = { ...scope, stream: 'pull_request_activity' as const };
          await recountStream(tx, activity, await countActivity(tx, scope));
        },
        memory: { short: Object.fromEntries(left.map((one) => [one.number, one.updatedOn])) },
        tally: { kind: 'counted', stored: counted ? rows : read, ...standing, basis: 'comment_count' },
        notes: { ...notesOnGaps(standing), ...noteOnMissedComments(contradicted) },
      },
    };
  }

  return {
    stream: 'pull_request_comments',
    begin,
    step: async (stored) => {
      const at = positionSchema.parse(stored);
      const found = at.inHand === null ? await candidates(at.after) : { number: at.inHand, short: false };
      if (found === undefined) return end(at);
      const { number, short } = found;
      const all = `/repositories/${source.fullName}/pullrequests`;
      const own = `${all}/${String(number)}/comments?pagelen=100&fields=${COMMENT_FIELDS}`;
      const place = ownListPlace(at, { own, all, number });
      if (at.inHand === null) begun.add(number);
      return {
        kind: 'request',
        place,
        at: { ...at, inHand: number, contradicted: at.contradicted + (short ? 1 : 0) },
      };
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const at = positionSchema.parse(stored);
      if (at.doubted) return readDoubt(at, answer, 'pullrequests');
      const number = at.inHand ?? at.after;
      const name = 'comments of a pull request';
      const page = guard(name, answer, at);
      const { records, rejected } = readRecords(commentSchema, answer, page, number);
      const { position, end: listEnd } = behindOwnPage(at, page, name);
      return {
        items: records.map((record) => commentItem(record, number, answer.observedAt)),
        rejected,
        values: page.values,
        parent: number,
        position: { ...position, read: at.read + records.length },
        ...(listEnd === undefined ? {} : { end: listEnd }),
      };
    },
    store: storeOf('pull_request_comments', scope),
    // Of one that is looked for, its own list was the first witness.
    witness: (stored, place) => (positionSchema.parse(stored).doubted ? undefined : place),
    recover: (stored, error) => recoverOwnList(positionSchema.parse(stored), error.type),
    remember: async (stored, error) => forgetRefusal(positionSchema.parse(stored), error),
    settle: async (tx, listEnd) => {
      await recordCommentGap(tx, scope, listEnd);
      // Of one whose first page another attempt has read, it may have been asked for since: it is read once more.
      const told = wanted.filter(({ number }) => number === listEnd.number && begun.has(number));
      await letGoWanted(tx, scope, { part: 'comments', wanted: told });
    },
  };
}
