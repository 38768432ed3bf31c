import type { NewestStored } from '../../db/queries/newest.ts';
import { countPullRequests } from '../../db/queries/pullRequests.ts';
import { letGoUnknown, type Wanted } from '../../db/queries/wantedPullRequests.ts';
import { ACTIVITY_FIELDS, PULL_REQUEST_FIELDS } from '../bitbucket/fields.ts';
import { pullRequestSchema } from '../bitbucket/schemas.ts';
import {
  beginKeyed,
  completeKeyed,
  doubtsEmptyList,
  keyedPath,
  keyedStep,
  mayListAnother,
  readKeyed,
  type KeyedList,
} from '../streams/keyedWalk.ts';
import { oldestOfWalk, parseKeyed } from '../streams/keyedPosition.ts';
import { pullRequestItem } from './pullRequestRows.ts';
import { storeOf } from '../streams/recordStores.ts';
import type { ReaderContext, StreamReader } from '../streams/streamReader.ts';
import { askedIn, createWantedPullRequests } from './wantedPullRequests.ts';

// 50 is the most Bitbucket gives (facts 3.2). With `q` all states are returned (3.3).
export const pullRequestListPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests?pagelen=50&fields=${PULL_REQUEST_FIELDS}`;

/** The repository-wide activity, newest first, at its largest page (facts 3.2). */
export const activityFeedPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests/activity?pagelen=50&fields=${ACTIVITY_FIELDS}`;

/** The cheapest list that proves that the repository is still shown; 10 is the least that is documented (facts 3.1). */
export const shortListPath = (fullName: string): string =>
  `/repositories/${fullName}/pullrequests?pagelen=10`;

/**
 * Reads the pull requests of a repository with their participants: one list, by key; behind it those that are `wanted` and
 * that it did not show.
 */
export function createPullRequestReader(
  context: ReaderContext,
  { newest, wanted }: { newest: NewestStored | undefined; wanted: readonly Wanted[] },
): StreamReader {
  const list: KeyedList = { path: pullRequestListPath(context.source.fullName) };
  const { database, scope } = context;
  const countRows = () => database.transaction(scope.organizationId, (tx) => countPullRequests(tx, scope));
  const alone = createWantedPullRequests(context, { wanted, listPath: list.path });
  return {
    stream: 'pull_requests',
    begin: () => beginKeyed(context, newest),
    step: async (stored) => {
      const position = parseKeyed(stored);
      const more = position.ended ? await alone.step(position) : undefined;
      if (more !== undefined) return more;
      return keyedStep(list, position, async (ended) => ({
        ...completeKeyed(ended, await countRows()),
        ...(wanted.length === 0 ? {} : { also: (tx) => letGoUnknown(tx, scope) }),
      }));
    },
    ahead: (stored) => {
      const position = parseKeyed(stored);
      return position.ended ? undefined : { path: keyedPath(list, position) };
    },
    read: (position, answer) => {
      if (askedIn(position).length > 0) return alone.read(position, answer);
      const page = { name: 'pullrequests', schema: pullRequestSchema, item: pullRequestItem };
      return alone.settledBy(readKeyed(page, parseKeyed(position), answer));
    },
    store: storeOf('pull_requests', scope),
    // The feed is kept apart from the list: where both are empty there is nothing, and the feed need not be read again.
    witness: (stored, place) => {
      if (askedIn(stored).length > 0) return place;
      const position = parseKeyed(stored);
      if (!doubtsEmptyList(context, position)) return undefined;
      return position.phase === 'walk' ? { path: activityFeedPath(context.source.fullName) } : place;
    },
    // Numbered from 1 on, and never deleted: the API has no call for that.
    oldest: (stored) => {
      if (askedIn(stored).length > 0) return undefined;
      const path = `/repositories/${context.source.fullName}/pullrequests/1?fields=id`;
      return oldestOfWalk(stored, { place: { path }, isLasting: true });
    },
    // Behind the list its own answer was judged already.
    mayBeOfAnother: async (stored) =>
      askedIn(stored).length === 0 && mayListAnother(parseKeyed(stored), countRows),
    recover: () => undefined,
  };
}
