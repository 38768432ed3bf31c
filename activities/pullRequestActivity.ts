import { storeOf } from './recordStores.ts';
import {
  countActivity,
  pullRequestsAfter,
  pullRequestsShortOfActivity,
  type KnownShort,
} from '../db/queries/activity.ts';
import { activityStanding, recordActivityGap } from '../db/queries/gaps.ts';
import { countPullRequests } from '../db/queries/pullRequests.ts';
import { countQuarantined } from '../db/queries/quarantine.ts';
import {
  feedFrom,
  positionSchema,
  recoverFrom,
  repairFrom,
  votesFrom,
  type Feed,
  type Repair,
} from './activityPosition.ts';
import { activityItem, kindOf } from './activityRows.ts';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { readRecords } from './bitbucket/paging.ts';
import { activitySchema, type ActivityEntry } from './bitbucket/schemas.ts';
import { before, canonicalInstant, OVERLAP_MS } from './instants.ts';
import { lateVotesStep, readLateVotes } from './lateVotes.ts';
import { createNextGuard } from './nextWalk.ts';
import { noteOnSkipped, notesOnGaps } from './notes.ts';
import { behindOwnPage, ownListPlace, readDoubt } from './ownList.ts';
import { activityFeedPath } from './pullRequests.ts';
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
  const store = storeOf('pull_request_activity', scope);
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);
  const known = mode === 'full' || checkpoint.watermark === null ? {} : knownShort(checkpoint.memory);
  const since = checkpoint.watermark === null ? null : before(checkpoint.watermark, OVERLAP_MS);
  const findShort = (after: number, all: boolean, limit: number): Promise<Candidate[]> =>
    inTransaction((tx) =>
      all
        ? pullRequestsAfter(tx, scope, { after, since: mode === 'full' ? null : since, limit })
        : pullRequestsShortOfActivity(tx, scope, { after, known, limit }),
    );
  const candidates = createCandidates(findShort);
  // One in quarantine is one too: the feed may tell of it.
  const hasNoPullRequests = (): Promise<boolean> =>
    inTransaction(async (tx) => {
      if ((await countPullRequests(tx, scope)) > 0) return false;
      return (await countQuarantined(tx, { ...scope, stream: 'pull_requests' })) === 0;
    });

  async function stepOfRepair(position: Repair): Promise<Step> {
    const number = position.inHand ?? (await candidates(position.after, position.all));
    if (number === undefined) {
      const [rows, standing, short] = await Promise.all([
        inTransaction((tx) => countActivity(tx, scope)),
        inTransaction((tx) => activityStanding(tx, scope)),
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
          rows,
          whole,
          memory: { short: memory, started: position.began },
          tally: {
            kind: 'counted',
            stored: whole ? rows : position.read,
            ...standing,
            basis: BASIS,
          },
          notes: { ...notesOnGaps(standing), ...noteOnSkipped(position.skipped) },
        },
      };
    }
    const own = `${base}/${String(number)}/activity?pagelen=50`;
    const place = ownListPlace(position, { own, all: base, number });
    return { kind: 'request', place, at: { ...position, inHand: number } };
  }

  function readOwn(position: Repair, answer: BitbucketAnswer): PageRead {
    if (position.doubted) return readDoubt(position, answer, 'pullrequests');
    const name = 'activity of a pull request';
    const page = guard(name, answer, position);
    const { records, rejected } = readRecords(activitySchema, answer, page);
    const items = records.flatMap((record) => activityItem(record, answer.observedAt) ?? []);
    const { position: behind, end } = behindOwnPage(position, page, name);
    const skipped = position.skipped + records.length - items.length;
    return {
      items,
      rejected,
      values: page.values,
      position: { ...behind, read: behind.read + items.length, skipped },
      ...(end === undefined ? {} : { end }),
    };
  }

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
      if (position.phase === 'repair') return readOwn(position, answer);
      const page = guard('pullrequests/activity', answer, position);
      const { records, rejected } = readRecords(activitySchema, answer, page);
      const items = records.flatMap((record) => activityItem(record, answer.observedAt) ?? []);
      const read: Omit<PageRead, 'position'> = { items, rejected, values: page.values };
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
    store,
    // Where there are pull requests, neither the feed nor the own activity of one is ever empty.
    witness: (_, place) => place,
    recover: (stored, error) => recoverFrom(positionSchema.parse(stored), error.type),
    settle: (tx, end) => recordActivityGap(tx, scope, end),
  };
}

/** More than these are simply asked again by the next import. */
const MAX_REMEMBERED = 5_000;

/** How what is expected is known: what was read, and the votes and ends that pull requests tell of. */
const BASIS = 'entries_and_facts';

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
    tally: { kind: 'counted', stored: 0, gone: 0, notPermitted: 0, lacking: 0, basis: BASIS },
  },
};
