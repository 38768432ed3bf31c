import { z } from 'zod';
import { countActivity, insertActivityOfComments } from '../db/queries/activity.ts';
import { countComments, pullRequestsShortOfComments, upsertComments } from '../db/queries/comments.ts';
import { recountStream } from '../db/queries/importProgress.ts';
import { readPage, readRecords } from './bitbucket/paging.ts';
import { commentSchema } from './bitbucket/schemas.ts';
import { commentItem } from './commentRows.ts';
import { before, OVERLAP_MS } from './instants.ts';
import { createNextGuard, MAX_RESTARTS } from './nextWalk.ts';
import { newestByKey } from './pullRequestRows.ts';
import { shortListPath } from './pullRequests.ts';
import { createCandidates, knownShort } from './repairList.ts';
import type { Position, ReaderContext, Step, StreamReader } from './streamReader.ts';

const positionSchema = z.object({
  /** pull requests up to this number are settled */
  after: z.int(),
  /** the pull request in hand, when its list has further pages */
  pullRequest: z.int().nullable(),
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** comments of pull requests changed since then are read again; null: only where they fall short */
  since: z.string().nullable(),
  read: z.int(),
  /** one of them is not shown any more: is the repository? */
  probe: z.boolean(),
});
type CommentPosition = z.infer<typeof positionSchema>;

const MAX_REMEMBERED = 5_000;

/**
 * Completes the comments. Most come with the activity feed, which shows them in full; here the lists are read of those
 * pull requests whose stored comments do not match `comment_count` (it leaves out deleted ones), and of those that
 * changed since the last time: edits and deletions of old comments show nowhere else (facts 3.7). Entries that the feed
 * left out follow from the comments.
 *
 * `feedBegan`: when the walk of the feed began, by Bitbucket's clock: what was stored by it is as new as that.
 * `listed`: the watermark of the pull requests. What changed behind it changed unseen here too, since their rows tell
 * whose comments are read.
 */
export function createCommentReader(
  context: ReaderContext,
  { feedBegan, listed }: { feedBegan: string | null; listed: string | null },
): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes, closing } = context;
  const guard = createNextGuard();
  const known = mode === 'full' ? {} : knownShort(checkpoint.memory);
  const whole = mode === 'full' || checkpoint.watermark === null;
  const counted = closing?.whole ?? whole;
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);

  const begin = (): CommentPosition => {
    const inHand = positionSchema.safeParse(checkpoint.position);
    if (inHand.success && (resumes || mode === 'changed')) return inHand.data;
    const since = whole ? feedBegan : checkpoint.watermark;
    return {
      after: 0,
      pullRequest: null,
      next: null,
      pages: 0,
      restarts: 0,
      since: since === null ? null : before(since, OVERLAP_MS),
      read: 0,
      probe: false,
    };
  };
  const position = { since: begin().since };
  const candidates = createCandidates((after, limit) =>
    inTransaction((tx) =>
      pullRequestsShortOfComments(tx, scope, { after, known, limit, since: position.since }),
    ),
  );

  async function end({ read }: CommentPosition): Promise<Step> {
    const [counts, left] = await Promise.all([
      inTransaction((tx) => countComments(tx, scope)),
      inTransaction((tx) =>
        pullRequestsShortOfComments(tx, scope, { after: 0, since: null, known: {}, limit: MAX_REMEMBERED }),
      ),
    ]);
    return {
      kind: 'end',
      completion: {
        watermark: listed ?? checkpoint.watermark,
        rows: counts.stored,
        whole: counted,
        also: async (tx) => {
          if (!counted) return;
          const activity = { ...scope, stream: 'pull_request_activity' as const };
          await recountStream(tx, activity, await countActivity(tx, scope));
        },
        memory: { short: Object.fromEntries(left.map((one) => [one.number, one.updatedOn])) },
        progress: counted
          ? {
              storedInAll: counts.stored,
              expected: counts.announced + counts.deleted,
              basis: 'comment_count',
            }
          : { storedInAll: read, expected: read, basis: 'counted' },
      },
    };
  }

  return {
    stream: 'pull_request_comments',
    begin,
    step: async (stored) => {
      const at = positionSchema.parse(stored);
      if (at.probe) return { kind: 'request', place: { path: shortListPath(source.fullName) }, at };
      const number = at.pullRequest ?? (await candidates(at.after));
      if (number === undefined) return end(at);
      const path = `/repositories/${source.fullName}/pullrequests/${String(number)}/comments?pagelen=100`;
      const place = at.next === null ? { path } : { next: at.next };
      return { kind: 'request', place, at: { ...at, pullRequest: number } };
    },
    ahead: (stored) => {
      const { next } = positionSchema.parse(stored);
      return next === null ? undefined : { next };
    },
    read: (stored, answer) => {
      const at = positionSchema.parse(stored);
      if (at.probe) {
        readPage(answer, 'pullrequests');
        return { items: [], rejected: [], values: [], position: { ...at, probe: false } };
      }
      const number = at.pullRequest ?? at.after;
      const page = guard('comments of a pull request', answer, at);
      const { records, rejected } = readRecords(commentSchema, answer, page);
      const more = page.next !== null;
      return {
        items: records.map((record) => commentItem(record, number, answer.observedAt)),
        rejected,
        values: page.values,
        position: {
          ...at,
          next: page.next,
          pages: more ? at.pages + 1 : 0,
          after: more ? at.after : number,
          pullRequest: more ? number : null,
          read: at.read + records.length,
        },
      };
    },
    store: async (tx, items) => {
      const unique = newestByKey(
        items.map((item) => item.row),
        (row) => String(row['comment_id']),
      );
      const entries = newestByKey(
        items.flatMap(({ activity }) => (activity === undefined ? [] : [activity])),
        (row) => String(row['entry_key']),
      );
      const written = await upsertComments(tx, scope, unique);
      return written + (await insertActivityOfComments(tx, scope, entries));
    },
    witness: (stored, place) => (positionSchema.parse(stored).probe ? undefined : place),
    recover: (stored, error): Position | undefined => {
      const at = positionSchema.parse(stored);
      if (error.type !== 'BadRequest' && error.type !== 'NotFound') return undefined;
      if (at.next !== null) {
        if (at.restarts >= MAX_RESTARTS) return undefined;
        return { ...at, next: null, pages: 0, restarts: at.restarts + 1 };
      }
      // The pull request is not shown any more, unless the repository is not: what is stored of it stays.
      if (error.type !== 'NotFound' || at.probe) return undefined;
      return { ...at, after: at.pullRequest ?? at.after, pullRequest: null, probe: true };
    },
  };
}
