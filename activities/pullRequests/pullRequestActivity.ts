import { readClock } from '../../db/queries/clock.ts';
import { recordActivityGap } from '../../db/queries/gaps.ts';
import { measureActivity } from '../../db/queries/activity.ts';
import { countPullRequests, noteObserved } from '../../db/queries/pullRequests.ts';
import { countQuarantined } from '../../db/queries/quarantine.ts';
import { setStreamMethod } from '../../db/queries/streamNotes.ts';
import { aheadInFeed, aheadOneByOne, aheadToTime } from '../../forecast/ahead.ts';
import { ENTRIES_A_PAGE } from './activityMethod.ts';
import {
  feedFrom,
  positionSchema,
  recoverFrom,
  repairFrom,
  votesFrom,
  type Each,
  type Feed,
  type Repair,
} from './activityPosition.ts';
import { activityItem, kindOf } from './activityRows.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readPage, readRecords } from '../bitbucket/paging.ts';
import { activitySchema, type ActivityEntry } from '../bitbucket/schemas.ts';
import { before, canonicalInstant, OVERLAP_MS } from '../streams/instants.ts';
import { lateVotesStep, readLateVotes } from './lateVotes.ts';
import { createLostFeed } from './lostFeed.ts';
import { createNextGuard } from '../streams/nextWalk.ts';
import { createOwnActivity, ENTRIES_AND_FACTS } from './ownActivity.ts';
import { behindOwnPage, forgetRefusal, readDoubt } from '../streams/ownList.ts';
import { activityFeedPath, shortListPath } from './pullRequests.ts';
import { storeOf } from '../streams/recordStores.ts';
import { feedGivenUp } from '../streams/repairList.ts';
import type { PageRead, ReaderContext, Step, StreamReader } from '../streams/streamReader.ts';

/** A feed that answers errors for so long is given up, if the repository itself is shown. */
const FEED_FAILS_MS = 30 * 60_000;

/**
 * Reads what happened to the pull requests of a repository: the repository-wide feed, newest first, which can neither be
 * sorted nor keyed (facts 3.3); then, per pull request and without a request, compares what is stored with what must be
 * there, and only where a vote or an end falls short reads that pull request's own activity. What comes meanwhile is
 * read by the import's closing rounds; comments that the feed does not show come with their own lists.
 * Where the feed cannot be had, ends early or would cost more, pull requests are asked by themselves (`lostFeed.ts`).
 */
export function createActivityReader(context: ReaderContext): StreamReader {
  const { database, scope, source, checkpoint, mode, resumes, closing } = context;
  const feedPath = activityFeedPath(source.fullName);
  const guard = createNextGuard();
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);
  const until =
    mode === 'full' || checkpoint.watermark === null ? null : before(checkpoint.watermark, OVERLAP_MS);
  const own = createOwnActivity(context);
  const lost = createLostFeed(context);
  const store = storeOf('pull_request_activity', scope);
  // One in quarantine is one too: the feed may tell of it.
  const hasNoPullRequests = (): Promise<boolean> =>
    inTransaction(async (tx) => {
      if ((await countPullRequests(tx, scope)) > 0) return false;
      return (await countQuarantined(tx, { ...scope, stream: 'pull_requests' })) === 0;
    });

  /** Once for each walk of the whole feed: what is to be expected of it. */
  async function lookAhead(position: Feed): Promise<Feed> {
    if (position.ahead !== null || position.until !== null) return position;
    const all = { createdUntil: null, changedSince: null };
    const { entries: due, opened } = await inTransaction((tx) =>
      measureActivity(tx, scope, all, ENTRIES_A_PAGE),
    );
    const toWalk = { due, opened };
    return { ...position, toWalk, ahead: aheadInFeed(toWalk, { entries: 0, oldest: null }) };
  }

  async function stepOfFeed(position: Feed): Promise<Step> {
    const { next, pages, restarts, failingSince, shown } = position;
    if (position.lost !== null) return lost.giveUp({ ...position, lost: position.lost });
    if (position.ended) {
      return (await lost.endedEarly(position)) ?? { kind: 'move', position: votesFrom(position, null) };
    }
    if (isUntouched(position) && (await hasNoPullRequests())) return nothingToRead;
    if (next === null && pages === 0 && restarts > 0) {
      const instead = await lost.beginAgain(position);
      if (instead !== undefined) return instead;
    }
    if (failingSince !== null && !shown && (await failsFor(failingSince)) > FEED_FAILS_MS) {
      return { kind: 'move', position: { phase: 'probe', onward: { ...position, shown: true } } };
    }
    const at = await lookAhead(position);
    return { kind: 'request', place: next === null ? { path: feedPath } : { next }, at };
  }

  const failsFor = async (since: string): Promise<number> =>
    Date.parse(await inTransaction(readClock)) - Date.parse(since);

  function readOwn(position: Each | Repair, answer: BitbucketAnswer): PageRead {
    if (position.doubted) return readDoubt(position, answer, 'pullrequests');
    const name = 'activity of a pull request';
    const page = guard(name, answer, position);
    const { records, rejected } = readRecords(activitySchema, answer, page);
    const items = records.flatMap((record) => activityItem(record, answer.observedAt) ?? []);
    const { position: behind, end } = behindOwnPage(position, page, name);
    return {
      items,
      rejected,
      values: page.values,
      position: {
        ...behind,
        began: position.began ?? beganOf(answer),
        read: position.read + items.length,
        skipped: position.skipped + records.length - items.length,
        ...(position.phase === 'each' ? askedOneMore(position) : {}),
      },
      ...(end === undefined ? {} : { end }),
    };
  }

  return {
    stream: 'pull_request_activity',
    begin: () => {
      const inHand = positionSchema.safeParse(checkpoint.position);
      const isWhole = inHand.success && inHand.data.phase === 'feed' && inHand.data.until === null;
      if (inHand.success && (resumes || mode === 'changed' || isWhole)) return inHand.data;
      return feedFrom(until, closing !== undefined && feedGivenUp(checkpoint.memory));
    },
    step: async (stored) => {
      const position = positionSchema.parse(stored);
      switch (position.phase) {
        case 'feed':
          return stepOfFeed(position);
        case 'probe':
          return { kind: 'request', place: { path: shortListPath(source.fullName) }, at: position };
        case 'each':
          return (
            (await own.each(position)) ?? { kind: 'move', position: votesFrom(position, position.range) }
          );
        case 'votes': {
          const step = await lateVotesStep(database, scope, source.fullName, position);
          return step ?? { kind: 'move', position: repairFrom(position) };
        }
        case 'repair': {
          const step = await own.repair(position);
          if (step !== undefined) return step;
          const completion = await own.complete(position);
          const byFeed = closing === undefined && position.except === null;
          return {
            kind: 'end',
            completion: byFeed
              ? { ...completion, also: (tx) => setStreamMethod(tx, scope, 'feed') }
              : completion,
          };
        }
      }
    },
    ahead: (stored) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'votes' || position.phase === 'probe') return undefined;
      if (position.phase === 'feed' && position.ended) return undefined;
      return position.next === null ? undefined : { next: position.next };
    },
    read: (stored, answer) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'votes') return readLateVotes(position, answer);
      if (position.phase === 'probe') {
        readPage(answer, 'pullrequests');
        return { items: [], rejected: [], values: [], position: position.onward };
      }
      if (position.phase !== 'feed') return readOwn(position, answer);
      const page = guard('pullrequests/activity', answer, position);
      const { records, rejected } = readRecords(activitySchema, answer, page);
      const items = records.flatMap((record) => activityItem(record, answer.observedAt) ?? []);
      const behind = behindFeedPage(position, {
        next: page.next,
        entries: items.length,
        skipped: records.length - items.length,
        began: beganOf(answer),
        last: items.at(-1)?.key ?? null,
        times: timesOf(records.map((record) => record.value)),
      });
      return { items, rejected, values: page.values, position: behind };
    },
    store: async (tx, items) => {
      const [first] = items;
      if (first === undefined || !('participants' in first.row)) return store(tx, items);
      const written = await storeOf('pull_requests', scope)(tx, items);
      await noteObserved(
        tx,
        scope,
        items.map((item) => item.row),
        OVERLAP_MS / 1_000,
      );
      return written;
    },
    // Where there are pull requests, neither the feed nor the own activity of one is ever empty. That the feed left one out
    // says nothing of its own activity: a feed that was cut short leaves out many. Of one that is looked for, its own list
    // was the witness.
    witness: (stored, place) => {
      const position = positionSchema.parse(stored);
      const lookedFor = 'doubted' in position && position.doubted;
      return position.phase === 'probe' || lookedFor ? undefined : place;
    },
    recover: (stored, error) => recoverFrom(positionSchema.parse(stored), error.type),
    settle: (tx, end) => recordActivityGap(tx, scope, end),
    remember: async (stored, error) => {
      const position = positionSchema.parse(stored);
      if (position.phase === 'each' || position.phase === 'repair') return forgetRefusal(position, error);
      if (position.phase !== 'feed' || error.type !== 'Upstream') return undefined;
      if (position.failingSince !== null) return undefined;
      return { ...position, failingSince: await inTransaction(readClock) };
    },
  };
}

/** Behind a page of the feed. `times`: of its entries. */
function behindFeedPage(
  position: Feed,
  page: {
    next: string | null;
    entries: number;
    skipped: number;
    began: string;
    last: string | null;
    times: string[];
  },
): Feed {
  const { until } = position;
  const [earliest] = page.times.toSorted();
  const oldest = earliest ?? position.oldest;
  const reached = until !== null && earliest !== undefined && earliest < until;
  const began = position.began ?? page.began;
  const ended = page.next === null || reached;
  const entries = position.pages * ENTRIES_A_PAGE + page.entries + page.skipped;
  return {
    ...position,
    began,
    ahead: ended ? NOTHING_AHEAD : aheadOf({ ...position, began }, { entries, earliest }),
    next: page.next,
    pages: position.pages + 1,
    last: page.last ?? position.last,
    oldest:
      oldest !== null && position.oldest !== null && position.oldest < oldest ? position.oldest : oldest,
    ended,
    reached: position.reached || reached,
    read: position.read + page.entries,
    skipped: position.skipped + page.skipped,
    failingSince: null,
    shown: false,
  };
}

const NOTHING_AHEAD = { requests: 0, records: { low: 0, expected: 0, high: 0 } };

/** What lies behind a page; `entries`: of the walk up to its end, `earliest`: of the page's times. */
function aheadOf(
  { began, until, toWalk, ahead }: Feed & { began: string },
  { entries, earliest }: { entries: number; earliest: string | undefined },
): Feed['ahead'] {
  if (earliest === undefined) return ahead;
  const oldest = Date.parse(earliest);
  if (until === null) return toWalk === null ? null : aheadInFeed(toWalk, { entries, oldest });
  return aheadToTime({ began: Date.parse(began), until: Date.parse(until), oldest }, entries);
}

const askedOneMore = ({ toAsk, asked }: Each): Pick<Each, 'asked' | 'ahead'> => ({
  asked: asked + 1,
  ahead: toAsk === null ? null : aheadOneByOne(toAsk, asked + 1),
});

const beganOf = (answer: BitbucketAnswer): string => canonicalInstant(answer.date ?? answer.observedAt);

const timesOf = (entries: readonly ActivityEntry[]): string[] =>
  entries.flatMap((entry) => {
    const found = kindOf(entry);
    return found === undefined ? [] : [canonicalInstant(found.at)];
  });

const isUntouched = ({ next, pages, began }: Feed): boolean => next === null && pages === 0 && began === null;

/** No watermark: once there are pull requests, all of their feed is new. */
const nothingToRead: Step = {
  kind: 'end',
  completion: {
    watermark: null,
    rows: 0,
    whole: true,
    memory: { short: {} },
    tally: { kind: 'counted', stored: 0, gone: 0, notPermitted: 0, lacking: 0, basis: ENTRIES_AND_FACTS },
  },
};
