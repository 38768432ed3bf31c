import type { ShapeDifferences } from './shape.ts';

/** A difference between our answers and the recordings that is as it should be. */
export interface KnownShape {
  side: keyof ShapeDifferences;
  /** Matches `kind: place`, for `otherType` with the types after it. */
  at: RegExp;
  because: string;
}

/** Sections of `facts.md` in brackets. The recordings are few, trimmed, and of 2015 to 2026. */
export const KNOWN_SHAPES: KnownShape[] = [
  {
    side: 'otherType',
    at: /(author|user): null/,
    because: 'accounts that were removed are null (3.7, 4.4)',
  },
  {
    side: 'otherType',
    at: /(source|destination)\/(commit|repository): null/,
    because: 'the fork or the branch is gone (3.7)',
  },
  { side: 'otherType', at: /^tag: (message|date|tagger): null/, because: 'lightweight tags (3.6)' },
  { side: 'otherType', at: /^diffstat: (old|new): null/, because: 'added and removed files (3.6)' },
  {
    side: 'otherType',
    at: /^repository: (description|mainbranch): null/,
    because: 'no description; an empty repository (3.5, 4.4)',
  },
  {
    side: 'otherType',
    at: /^participant: (state|participated_on): null/,
    because: 'a reviewer who has not answered (3.7)',
  },
  {
    side: 'otherType',
    at: /inline\/(from|to): /,
    because: 'a comment stands on a line of the old or of the new side, or of both (3.7)',
  },
  {
    side: 'otherType',
    at: /^ticket: (component|milestone|version): /,
    because: 'objects or null (3.8); the recordings are of the documentation, with older shapes',
  },
  {
    side: 'invented',
    at: /(user|author|closed_by)\/(created_on|account_status|kind)$/,
    because: 'an access token as an account; recorded as the author of a tagged commit',
  },
  {
    side: 'invented',
    at: /^user: (has_2fa_enabled|nickname|account_status)$/,
    because: 'of GET /user today (3.4); the recording is from before 2019',
  },
  {
    side: 'invented',
    at: /^(branch|tag): target\/(summary|rendered)$/,
    because: 'the target is a commit as in lists (3.6); the recordings are trimmed',
  },
  {
    side: 'invented',
    at: /^commit in a list: (author\/user\/nickname|rendered)$/,
    because: 'in list items today (3.6); the recording is from before 2019',
  },
  { side: 'invented', at: /^diffstat: (old|new)\/escaped_path$/, because: 'in the document and facts 3.6' },
  {
    side: 'invented',
    at: /^pull request in a list: (reviewers|participants)$/,
    because: 'asked for by `fields` (3.7)',
  },
  {
    side: 'invented',
    at: /^pull request: rendered\/reason$/,
    because: 'named by the document; recorded with title and description only',
  },
  {
    side: 'invented',
    at: /^(comment|activity): (comment\/)?(pending|parent|resolution|pullrequest\/draft)$/,
    because: 'of comments today, replies and resolved ones (3.7)',
  },
  { side: 'invented', at: /^activity: changes_requested$/, because: 'a kind that was not recorded (3.7)' },
  {
    side: 'invented',
    at: /^webhook subscription: (subject_type|secret_set|history_enabled)$/,
    because: 'of a subscription in 2025 (5.1); the recording is older',
  },
  {
    side: 'invented',
    at: /^ticket: /,
    because:
      'of tickets as the document and facts 3.8 have them; the recordings are examples with few fields',
  },
  {
    side: 'missing',
    at: /(^user: |username$)/,
    because: 'names and links that went with usernames on 2019-04-29 (2)',
  },
  {
    side: 'missing',
    at: /^repository: owner\/(account_id|nickname)$/,
    because: 'our workspaces are owned by teams',
  },
  {
    side: 'missing',
    at: /target\/author\/user\/(created_on|account_status|kind)$/,
    because: 'no access token of ours writes commits',
  },
  {
    side: 'missing',
    at: /inline\/(context_lines|outdated)$/,
    because: 'in one recording of an activity only, not in facts 3.7',
  },
];
