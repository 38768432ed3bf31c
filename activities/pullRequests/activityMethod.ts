/** How the activity of a repository is read: from one feed of all its pull requests, or from each one's own list. */
export type ActivityMethod = 'feed' | 'per_pull_request';

/** Both lists give 50 entries at most (facts 3.2). */
export const ENTRIES_A_PAGE = 50;

export interface ActivityToRead {
  /** entries that the feed shows before those that are wanted: it always begins at its top */
  passed: number;
  /** entries that are wanted */
  entries: number;
  /** pages of the own activity of each pull request that has such entries, summed up */
  ownPages: number;
}

export const pagesOf = (entries: number): number => Math.max(1, Math.ceil(entries / ENTRIES_A_PAGE));

/** Requests that each way takes. */
export const requestsOf = ({
  passed,
  entries,
  ownPages,
}: ActivityToRead): Record<ActivityMethod, number> => ({
  feed: pagesOf(passed + entries),
  per_pull_request: ownPages,
});

/**
 * The cheaper way; the feed where they cost the same, since only it shows votes that change nothing else. From its top
 * (`passed` 0) the feed never costs more: its pages are full, while each pull request has a last page of its own. It may
 * where it must begin again after Bitbucket refused to go on: everything it showed is shown again.
 */
export function chooseActivityMethod(toRead: ActivityToRead): ActivityMethod {
  const requests = requestsOf(toRead);
  return requests.per_pull_request < requests.feed ? 'per_pull_request' : 'feed';
}
