import type { KnownDifference } from './openapi.ts';

/**
 * Where the OpenAPI document is wrong: recorded answers (`[R]` in the facts) have more keys than it allows, and
 * nulls where it names a type only. Sections of `facts.md` in brackets.
 */
export const KNOWN_DIFFERENCES: KnownDifference[] = [
  {
    keyword: 'additionalProperties',
    at: /\/links$/,
    keys: [
      'html_overview',
      'hooks',
      'self',
      'branches',
      'tags',
      'source',
      'issues',
      'request-changes',
      'statuses',
      'mergeability_checks',
    ],
    because:
      'recorded workspaces, projects, repositories and pull requests have links it does not list (3.4, 3.5)',
  },
  {
    keyword: 'additionalProperties',
    at: /\/(summary|content|message|rendered\/(title|description|reason))$/,
    keys: ['type'],
    because: 'every recorded rendered text says "type": "rendered"',
  },
  {
    keyword: 'additionalProperties',
    at: /\/((source|destination)\/commit|merge_commit)$/,
    keys: ['type', 'links'],
    because: 'recorded commits inside pull requests have both (3.7)',
  },
  {
    keyword: 'additionalProperties',
    at: /\/source\/branch$/,
    keys: ['links'],
    because: 'recorded on 2026-10-07: an empty "links" (4.4)',
  },
  {
    keyword: 'additionalProperties',
    at: /^\/(repository|workspace)$/,
    keys: ['links'],
    because: 'its own example of /hook_events wraps "events" in "links"',
  },
  {
    keyword: 'required',
    at: /\/parent$/,
    keys: ['type'],
    because: 'the parent of a comment has an id and links only (3.7)',
  },
  {
    keyword: 'format',
    at: /\/links\/clone\/#\/href$/,
    because: 'the ssh address has the form git@host:path, which is no URI',
  },
  {
    keyword: 'type',
    at: /\/(parent|mainbranch|description)$/,
    because: 'null for a repository that is no fork, is empty, or has no description (3.5, 4.4)',
  },
  {
    keyword: 'type',
    at: /\/(old|new)$/,
    because: 'null in a diffstat for an added or a removed file (3.6)',
  },
  {
    keyword: 'type',
    at: /\/(message|date|tagger)$/,
    because: 'null for a lightweight tag (3.6)',
  },
  {
    keyword: 'type',
    at: /\/(author|user|reporter|closed_by|merge_commit)$/,
    because: 'null for removed accounts and for what has not happened (3.7, 4.4)',
  },
  {
    keyword: 'type',
    at: /\/(source|destination)\/(commit|repository)$/,
    because: 'null once the fork or the branch is gone (3.7)',
  },
  {
    keyword: 'type',
    at: /\/participants\/#\/(state|participated_on)$/,
    because: 'null for a reviewer who has not answered (3.7)',
  },
  {
    keyword: 'type',
    at: /\/inline\/from$/,
    because: 'null on a line that only the new side has (3.7)',
  },
  {
    keyword: 'type',
    at: /\/(assignee|component|milestone|version|edited_on|updated_on|content\/raw)$/,
    because: 'null in recorded tickets and their comments (3.8)',
  },
  {
    keyword: 'type',
    at: /^\/error\/detail$/,
    because: 'an object in scope errors (4.1)',
  },
];
