import type { KnownShape } from './knownShapes.ts';

/** Sections of `facts.md` in brackets. The recorded bodies are of 2018 to 2022. */
export const KNOWN_EVENT_SHAPES: KnownShape[] = [
  { side: 'missing', at: /username$/, because: 'went with usernames on 2019-04-29 (2)' },
  {
    side: 'missing',
    at: /repository\/owner\/(account_id|nickname)$/,
    because: 'our workspaces are owned by teams',
  },
  {
    side: 'missing',
    at: /^pullrequest:(created|fulfilled): comment$/,
    because: 'of the recorded comment event, which is compared with for its newer pull request',
  },
  {
    side: 'invented',
    at: /nickname$/,
    because: 'of accounts today (2); the recordings are from before 2019',
  },
  {
    side: 'invented',
    at: /(target|commits\/#)\/(committer|properties|rendered)$/,
    because: 'of commits in newer bodies (3.6)',
  },
  {
    side: 'invented',
    at: /target\/links\/(diff|approve|comments|statuses|patch)$/,
    because: 'a head has the links of the same commit in `commits`',
  },
  {
    side: 'invented',
    at: /(new|old)\/(merge_strategies|default_merge_strategy|sync_strategies)$/,
    because: 'of branches in newer bodies (3.6)',
  },
  {
    side: 'invented',
    at: /: repository\/(workspace|project|parent)$/,
    because: 'of repositories in newer bodies (5.4)',
  },
  {
    side: 'invented',
    at: /pullrequest\/(draft|queued|rendered\/reason|links\/mergeability_checks)$/,
    because: 'of pull requests today (3.7)',
  },
  {
    side: 'invented',
    at: /(comment|pullrequest)\/(pending|parent|pullrequest\/draft)$/,
    because: 'of comments today (3.7)',
  },
  {
    side: 'invented',
    at: /merge_commit\/(type|links\/html)$/,
    because: 'a commit of a pull request as the API shows it (3.7)',
  },
  {
    side: 'otherType',
    at: /(website: null|participants\/#\/(participated_on: null|state: string))/,
    because: 'no website; reviewers who have not answered, and one who approved (3.7, 4.4)',
  },
  {
    side: 'invented',
    at: /(repository\/owner\/username|^repo:updated: actor\/account_id)$/,
    because:
      'teams that own workspaces have it (2), and accounts of today; the recordings are of users and of 2017',
  },
  {
    side: 'missing',
    at: /^repo:updated: changes\/(website|language|description)$/,
    because: 'only what changed is told; the recorded one changed everything at once',
  },
];
