/** What an endpoint wants: in OAuth words and in those of API tokens (facts 1.2, 1.3). */
export interface Requirement {
  oauth: readonly string[];
  token: readonly string[];
}

const bitbucket = (...names: string[]): string[] => names.map((name) => `${name}:bitbucket`);

export const NEEDS = {
  nothing: { oauth: [], token: [] },
  user: { oauth: ['account'], token: bitbucket('read:user') },
  /** Any workspace data, except the workspace itself, which needs no OAuth scope. */
  workspace: { oauth: ['account'], token: bitbucket('read:workspace') },
  workspaceItself: { oauth: [], token: bitbucket('read:workspace') },
  ownRepositoryRights: { oauth: ['account', 'repository'], token: bitbucket('read:repository') },
  repositoryRights: { oauth: ['account'], token: bitbucket('read:repository') },
  project: { oauth: ['project'], token: bitbucket('read:project') },
  repository: { oauth: ['repository'], token: bitbucket('read:repository') },
  pullRequest: { oauth: ['pullrequest'], token: bitbucket('read:pullrequest') },
  issue: { oauth: ['issue'], token: bitbucket('read:issue') },
  hookRead: { oauth: ['webhook'], token: bitbucket('read:webhook') },
  hookWrite: { oauth: ['webhook'], token: bitbucket('read:webhook', 'write:webhook') },
  hookDelete: { oauth: ['webhook'], token: bitbucket('delete:webhook') },
} as const satisfies Record<string, Requirement>;

/** Only these imply others; admin scopes imply nothing (facts 1.2). */
const IMPLIED: Record<string, readonly string[]> = {
  'account:write': ['account'],
  'repository:write': ['repository'],
  project: ['repository'],
  pullrequest: ['repository'],
  'pullrequest:write': ['pullrequest', 'repository', 'repository:write'],
  'issue:write': ['issue'],
};

/** OAuth scopes with what they imply. API token scopes imply nothing at all and pass unchanged. */
export function expandScopes(granted: readonly string[]): Set<string> {
  const all = new Set(granted);
  for (const scope of granted) for (const implied of IMPLIED[scope] ?? []) all.add(implied);
  return all;
}

/** Every OAuth scope: what a plain password may do. */
export const ALL_OAUTH_SCOPES = [
  'account',
  'account:write',
  'email',
  'team',
  'team:write',
  'project',
  'project:admin',
  'repository',
  'repository:write',
  'repository:admin',
  'repository:delete',
  'pullrequest',
  'pullrequest:write',
  'issue',
  'issue:write',
  'wiki',
  'webhook',
  'snippet',
  'snippet:write',
  'pipeline',
  'pipeline:write',
  'pipeline:variable',
  'runner',
  'runner:write',
] as const;

/** The scopes a reading API token of the connect guide has. */
export const READ_TOKEN_SCOPES = bitbucket(
  'read:user',
  'read:workspace',
  'read:project',
  'read:repository',
  'read:pullrequest',
  'read:issue',
);

export const HOOK_TOKEN_SCOPES = bitbucket('read:webhook', 'write:webhook', 'delete:webhook');
