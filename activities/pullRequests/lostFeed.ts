import {
  hasFeedEntriesBefore,
  measureActivity,
  pullRequestsOfRange,
  type PullRequestRange,
} from '../../db/queries/activity.ts';
import { noteStream, setStreamMethod } from '../../db/queries/streamNotes.ts';
import type { Transaction } from '../../db/client.ts';
import { chooseActivityMethod, ENTRIES_A_PAGE } from './activityMethod.ts';
import { eachFrom, type Feed, type WhyOwn } from './activityPosition.ts';
import { before } from '../streams/instants.ts';
import type { ReaderContext, Step } from '../streams/streamReader.ts';

/** A pull request's first entry is its creation; the two may be stamped apart. */
const CREATION_MS = 60_000;

const SENTENCES: Record<WhyOwn, string> = {
  feed_unavailable: 'Bitbucket does not give the activity of the whole repository',
  feed_fails: 'Bitbucket answers only errors for the activity of the whole repository',
  feed_refused: 'Bitbucket refused to go on with the activity of the whole repository',
  feed_ended_early: 'The activity of the whole repository ended before what the pull requests tell of',
};

export interface LostFeed {
  /** Each pull request in place of the feed, from where the feed is given up. */
  giveUp(position: Feed & { lost: WhyOwn }): Promise<Step>;
  /** A feed that Bitbucket refused to go on with: each pull request that is left, where that costs less; undefined: again. */
  beginAgain(position: Feed): Promise<Step | undefined>;
  /** A feed that ended before it showed all it must: those that it left out; undefined: it showed all. */
  endedEarly(position: Feed): Promise<Step | undefined>;
}

/** What stands in for the repository-wide feed where it cannot be had, ends early, or would cost more. */
export function createLostFeed(context: ReaderContext): LostFeed {
  const { database, scope } = context;
  const inTransaction = <T>(work: Parameters<typeof database.transaction<T>>[1]) =>
    database.transaction(scope.organizationId, work);

  /** What is left to read: older than what the feed has shown, and changed since the walk's limit. */
  const left = ({ oldest, until }: Feed): PullRequestRange => ({ createdUntil: oldest, changedSince: until });

  async function ask(position: Feed, range: PullRequestRange, why: WhyOwn): Promise<Step> {
    const { pullRequests, ownPages, entries } = await inTransaction((tx) =>
      measureActivity(tx, scope, range, ENTRIES_A_PAGE),
    );
    const only = position.until === null ? '' : ' Votes that change nothing else are found by a full import.';
    return {
      kind: 'move',
      position: eachFrom(position, range, { pages: ownPages, due: entries }),
      also: async (tx: Transaction) => {
        await setStreamMethod(tx, scope, 'per_pull_request');
        await noteStream(tx, scope, why, {
          message: `${SENTENCES[why]}, so pull requests were asked for their own.${only}`,
          count: pullRequests,
        });
      },
    };
  }

  return {
    giveUp: (position) => ask(position, left(position), position.lost),
    async beginAgain(position) {
      const range = left(position);
      const measured = await inTransaction((tx) => measureActivity(tx, scope, range, ENTRIES_A_PAGE));
      const method = chooseActivityMethod({ ...measured, passed: position.passed });
      return method === 'feed' ? undefined : ask(position, range, 'feed_refused');
    },
    async endedEarly(position) {
      const { oldest, until, reached } = position;
      if (reached) return undefined;
      if (until !== null) {
        const cut = await inTransaction((tx) => hasFeedEntriesBefore(tx, scope, oldest));
        return cut
          ? ask(position, { createdUntil: null, changedSince: until }, 'feed_ended_early')
          : undefined;
      }
      const createdUntil = oldest === null ? null : before(oldest, CREATION_MS);
      const [older] = await inTransaction((tx) =>
        pullRequestsOfRange(tx, scope, { createdUntil, changedSince: null, after: 0, limit: 1 }),
      );
      return older === undefined ? undefined : ask(position, left(position), 'feed_ended_early');
    },
  };
}
