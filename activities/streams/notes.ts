import type { Standing } from '../../db/queries/gaps.ts';
import type { StreamNote } from '../../workflows/words.ts';

/** Notes for the completeness report: what a number of it means. */

export function notesOnGaps({ gone, notPermitted }: Omit<Standing, 'lacking'>): Record<string, StreamNote> {
  return {
    ...(gone === 0
      ? {}
      : {
          announced_not_listed: {
            message:
              'Bitbucket counts these in the pull request, and its own list of them, read to the end, does not have them.',
            count: gone,
          },
        }),
    ...(notPermitted === 0
      ? {}
      : {
          not_permitted: {
            message: 'Bitbucket refuses the lists that hold these to this account.',
            count: notPermitted,
          },
        }),
  };
}

export const noteOnSkipped = (skipped: number): Record<string, StreamNote> =>
  skipped === 0
    ? {}
    : {
        entries_without_kind: {
          message:
            'Entries of the feed that are neither an update, an approval, a request for changes nor a comment: they say nothing, so they are not stored.',
          count: skipped,
        },
      };

export const noteOnUnlisted = (unlisted: number): Record<string, StreamNote> =>
  unlisted === 0
    ? {}
    : {
        not_listed: {
          message:
            'Branches and tags that the list of this import lacks. One list alone proves nothing: they are kept until a later one agrees.',
          count: unlisted,
        },
      };

export const noteOnMissedComments = (pullRequests: number): Record<string, StreamNote> =>
  pullRequests === 0
    ? {}
    : {
        feed_contradicts_comment_count: {
          message:
            'Pull requests of which the activity showed another number of comments than their `comment_count`: each of them was asked for its own comments.',
          count: pullRequests,
        },
      };

export const noteOnMissedEntries = (pullRequests: number): Record<string, StreamNote> =>
  pullRequests === 0
    ? {}
    : {
        feed_contradicts_pull_requests: {
          message:
            'Pull requests of which the activity lacked a vote, a merge or a decline that they tell of: each of them was asked for its own activity.',
          count: pullRequests,
        },
      };
