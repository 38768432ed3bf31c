import type { NewestStored } from '../db/queries/newest.ts';
import { countPullRequests } from '../db/queries/pullRequests.ts';
import { ACTIVITY_FIELDS, PULL_REQUEST_FIELDS } from './bitbucket/fields.ts';
import { pullRequestSchema } from './bitbucket/schemas.ts';
import {
  beginKeyed,
  completeKeyed,
  doubtsEmptyList,
  keyedPath,
  keyedStep,
  readKeyed,
  type KeyedList,
} from './keyedWalk.ts';
import { oldestOfWalk, parseKeyed } from './keyedPosition.ts';
import { pullRequestItem } from './pullRequestRows.ts';
import { storeOf } from './recordStores.ts';
import type { ReaderContext, StreamReader } from './streamReader.ts';

// 50 is the most Bitbucket gives (facts 3.2). With `q` all states are returned (3.3).
export const pullRequestListPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests?pagelen=50&fields=${PULL_REQUEST_FIELDS}`;

/** The repository-wide activity, newest first, at its largest page (facts 3.2). */
export const activityFeedPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests/activity?pagelen=50&fields=${ACTIVITY_FIELDS}`;

/** The cheapest list that proves that the repository is still shown; 10 is the least that is documented (facts 3.1). */
export const shortListPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests?pagelen=10`;

/** Reads the pull requests of a repository with their participants: one list, by key. */
export function createPullRequestReader(
  context: ReaderContext,
  newest: NewestStored | undefined,
): StreamReader {
  const list: KeyedList = { path: pullRequestListPath(context.source.fullName) };
  const { database, scope } = context;
  return {
    stream: 'pull_requests',
    begin: () => beginKeyed(context, newest),
    step: (position) =>
      keyedStep(list, parseKeyed(position), async (ended) =>
        completeKeyed(
          ended,
          await database.transaction(scope.organizationId, (tx) => countPullRequests(tx, scope)),
        ),
      ),
    ahead: (stored) => {
      const position = parseKeyed(stored);
      return position.ended ? undefined : { path: keyedPath(list, position) };
    },
    read: (position, answer) =>
      readKeyed(
        { name: 'pullrequests', schema: pullRequestSchema, item: pullRequestItem },
        parseKeyed(position),
        answer,
      ),
    store: storeOf('pull_requests', scope),
    // The feed is kept apart from the list: where both are empty there is nothing, and the feed need not be read again.
    witness: (stored, place) => {
      const position = parseKeyed(stored);
      if (!doubtsEmptyList(context, position)) return undefined;
      return position.phase === 'walk' ? { path: activityFeedPath(context.source.fullName) } : place;
    },
    // Numbered from 1 on, and never deleted: the API has no call for that.
    oldest: (stored) =>
      oldestOfWalk(stored, {
        place: { path: `/repositories/${context.source.fullName}/pullrequests/1?fields=id` },
        isLasting: true,
      }),
    recover: () => undefined,
  };
}
