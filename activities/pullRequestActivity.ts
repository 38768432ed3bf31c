import {
  countActivity,
  pullRequestsAfter,
  pullRequestsShortOfActivity,
  upsertActivity,
  type KnownShort,
} from '../db/queries/activity.ts';
import { upsertComments } from '../db/queries/comments.ts';
import { countPullRequests, upsertPullRequests } from '../db/queries/pullRequests.ts';
import {
  behindOwnPage,
  feedFrom,
  positionSchema,
  recoverFrom,
  repairFrom,
  votesFrom,
  type Feed,
  type Repair,
} from './activityPosition.ts';
import { activityItem, kindOf } from './activityRows.ts';
import { readRecords } from './bitbucket/paging.ts';
import { activitySchema, type ActivityEntry } from './bitbucket/schemas.ts';
import { before, canonicalInstant, OVERLAP_MS } from './instants.ts';
import { lateVotesStep, readLateVotes } from './lateVotes.ts';
import { createNextGuard } from './nextWalk.ts';
import { newestByKey } from './pullRequestRows.ts';
import { activityFeedPath } from './pullRequests.ts';
import type { Row } from '../db/queries/upsert.ts';
import { createCandidates, knownShort, type Candidate } from './repairList.ts';
import type { PageRead, ReaderContext, Step, StreamReader } from './streamReader.ts';

/**
 * Reads what happened to the pull requests of a repository: the repository-wide feed, newest first, which can neither be
 * sorted nor keyed (facts 3.3); then, per pull request and without a request, compares what is stored with what must be
 * there, and only where a vote or an end falls short reads that pull request's own activity. What comes meanwhile is
 * read by the import's closing rounds; comments that the feed does not show come with their own lists.
 */
export function createActivityReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes, closing } = context;
  const base = `/repositories/${source.fullName}/pullrequests`;
  const feedPath = activityFeedPath(source.fullName);
  const guard = createNextGuard();
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);
  const known = mode === 'full' ? {} : knownShort(checkpoint.memory);
  const since = checkpoint.watermark === null ? null : before(checkpoint.watermark, OVERLAP_MS);
  const findShort = (after: number, all: boolean, limit: number): Promise<Candidate[]> =>
    inTransaction((tx) =>
      all
        ? pullRequestsAfter(tx, scope, { after, since: mode === 'full' ? null : since, limit })
        : pullRequestsShortOfActivity(tx, scope, { after, known, limit }),
    );
  const candidates = createCandidates(findShort);
  const hasNoPullRequests = async (): Promise<boolean> =>
    (await inTransaction((tx) => countPullRequests(tx, scope))) === 0;

  async function stepOfRepair(position: Repair): Promise<Step> {
    const number = position.pullRequest ?? (await candidates(position.after, position.all));
    if (number === undefined) {
      const [stored, short] = await Promise.all([
        inTransaction((tx) => countActivity(tx, scope)),
        inTransaction((tx) =>
          pullRequestsShortOfActivity(tx, scope, { after: 0, known: {}, limit: MAX_REMEMBERED }),
        ),
      ]);
      const memory: KnownShort = Object.fromEntries(short.map((one) => [one.number, one.updatedOn]));
      const whole = closing?.whole ?? (mode === 'full' || checkpoint.watermark === null);
      return {
        kind: 'end',
        completion: {
          watermark: position.began,
          rows: stored,
          whole,
          memory: { short: memory, started: position.began },
          progress: whole
            ? { storedInAll: stored, expected: stored, basis: 'counted' }
            : { expected: position.read, storedInAll: position.read, basis: 'counted' },
        },
      };
    }
    const place = position.next === null ? { path: ownPath(number) } : { next: position.next };
    return { kind: 'request', place, at: { ...position, pullRequest: number } };
  }
  const ownPath = (number: number): string => `${base}/${String(number)}/activity?pagelen=50`;

  return {
    stream: 'pull_request_activity',
    begin: () => {
      const inHand = positionSchema.safeParse(checkpoint.position);
      if (
        inHand.success &&
        (resumes || mode === 'changed' || (inHand.data.phase === 'feed' && inHand.data.until === null))
      ) {
        return inHand.data;
      }
      return feedFrom({ until: mode === 'full' ? null : since });
    },
    step: async (stored) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'repair') return stepOfRepair(position);
      if (position.phase === 'votes') {
        const step = await lateVotesStep(database, scope, source.fullName, position);
        return step ?? { kind: 'move', position: repairFrom(position, false) };
      }
      if (position.ended) return { kind: 'move', position: votesFrom(position) };
      if (isUntouched(position) && (await hasNoPullRequests())) return nothingToRead;
      const place = position.next === null ? { path: feedPath } : { next: position.next };
      return { kind: 'request', place, at: position };
    },
    ahead: (stored) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'votes' || (position.phase === 'feed' && position.ended)) return undefined;
      return position.next === null ? undefined : { next: position.next };
    },
    read: (stored, answer) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'votes') return readLateVotes(position, answer);
      const name = position.phase === 'feed' ? 'pullrequests/activity' : 'activity of a pull request';
      const page = guard(name, answer, position);
      const { records, rejected } = readRecords(activitySchema, answer, page);
      const items = records.flatMap((record) => activityItem(record, answer.observedAt) ?? []);
      const read: Omit<PageRead, 'position'> = { items, rejected, values: page.values };
      if (position.phase === 'repair') {
        return { ...read, position: behindOwnPage(position, page.next, items.length) };
      }
      const entries = records.map((record) => record.value);
      const reached = position.until !== null && entries.some((entry) => isBefore(entry, position.until));
      return {
        ...read,
        position: {
          ...position,
          began: canonicalInstant(position.began ?? answer.date ?? answer.observedAt),
          next: page.next,
          pages: position.pages + 1,
          last: items.at(-1)?.key ?? position.last,
          ended: page.next === null || reached,
          read: position.read + items.length,
          skipped: position.skipped + records.length - items.length,
        },
      };
    },
    store: async (tx, items) => {
      const [first] = items;
      if (first !== undefined && 'participants' in first.row) {
        return upsertPullRequests(
          tx,
          scope,
          items.map((item) => item.row),
        );
      }
      const entries = items.map((item) => item.row);
      const keyOf = (row: Row) => `${String(row['pull_request_number'])}/${String(row['entry_key'])}`;
      const written = await upsertActivity(tx, scope, newestByKey(entries, keyOf));
      const comments = items.flatMap((item) => (item.comment === undefined ? [] : [item.comment]));
      const unique = newestByKey(comments, (row) => String(row['comment_id']));
      return written + (await upsertComments(tx, scope, unique));
    },
    // Where there are pull requests, neither the feed nor the own activity of one is ever empty.
    witness: (_, place) => place,
    recover: (stored, error) => recoverFrom(positionSchema.parse(stored), error.type),
  };
}

/** More than these are simply asked again by the next import. */
const MAX_REMEMBERED = 5_000;

const timeOf = (entry: ActivityEntry): string | undefined => {
  const found = kindOf(entry);
  return found === undefined ? undefined : canonicalInstant(found.at);
};
const isBefore = (entry: ActivityEntry, limit: string | null): boolean => {
  const at = timeOf(entry);
  return limit !== null && at !== undefined && at < limit;
};
const isUntouched = ({ next, pages, began }: Feed): boolean => next === null && pages === 0 && began === null;

/** No watermark: once there are pull requests, all of their feed is new. */
const nothingToRead: Step = {
  kind: 'end',
  completion: {
    watermark: null,
    rows: 0,
    whole: true,
    memory: { short: {} },
    progress: { storedInAll: 0, expected: 0, basis: 'counted' },
  },
};
