import type { CredentialKind, Service } from '../../workflows/words.ts';

/** OAuth names (also access tokens and app passwords), or the granular names of API tokens (facts 1.2, 1.3). */
export type Vocabulary = 'oauth' | 'granular';

export const vocabularyOf = (kind: CredentialKind): Vocabulary =>
  kind === 'api_token' ? 'granular' : 'oauth';

/**
 * The one table: what each thing needs, in both vocabularies. A service needs to see repositories, whatever it
 * reads in them; OAuth's `pullrequest` brings that along, a granular scope brings nothing along.
 */
const NEEDED: Record<Vocabulary, Record<Service | 'account' | 'webhooks', readonly string[]>> = {
  oauth: {
    account: ['account'],
    repositories: ['repository'],
    pull_requests: ['pullrequest'],
    tickets: ['issue', 'repository'],
    // a hook needs the scope of each event it subscribes to (facts 1.2)
    webhooks: ['webhook', 'repository', 'pullrequest'],
  },
  granular: {
    account: ['read:user:bitbucket', 'read:workspace:bitbucket'],
    repositories: ['read:repository:bitbucket'],
    pull_requests: ['read:pullrequest:bitbucket', 'read:repository:bitbucket'],
    tickets: ['read:issue:bitbucket', 'read:repository:bitbucket'],
    webhooks: ['read:webhook:bitbucket', 'write:webhook:bitbucket', 'delete:webhook:bitbucket'],
  },
};

/** Good to have, never missed: without it projects are known from their repositories only. */
const USEFUL: Record<Vocabulary, readonly string[]> = {
  oauth: ['project'],
  granular: ['read:project:bitbucket'],
};

/** Facts 1.2. Granular scopes imply nothing (facts 1.3). */
const IMPLIED: Readonly<Record<string, readonly string[]>> = {
  'repository:write': ['repository'],
  project: ['repository'],
  pullrequest: ['repository'],
  'pullrequest:write': ['pullrequest', 'repository:write'],
  'issue:write': ['issue'],
};

/** The granted scopes and everything they bring along. */
export function expandScopes(vocabulary: Vocabulary, granted: readonly string[]): Set<string> {
  const all = new Set<string>();
  const open = [...granted];
  for (let scope = open.pop(); scope !== undefined; scope = open.pop()) {
    if (all.has(scope)) continue;
    all.add(scope);
    if (vocabulary === 'oauth') open.push(...(IMPLIED[scope] ?? []));
  }
  return all;
}

export const neededScopes = (vocabulary: Vocabulary, what: Service | 'account' | 'webhooks') =>
  NEEDED[vocabulary][what];

/** Which of the needed scopes are not granted, neither by name nor by another that implies them. */
export function missingScopes(
  vocabulary: Vocabulary,
  what: Service | 'account' | 'webhooks',
  granted: readonly string[],
): string[] {
  const all = expandScopes(vocabulary, granted);
  return NEEDED[vocabulary][what].filter((scope) => !all.has(scope));
}

/** Granted scopes that nothing here needs: read is enough. Webhook scopes are no excess. */
export function excessScopes(vocabulary: Vocabulary, granted: readonly string[]): string[] {
  const wanted = new Set([...Object.values(NEEDED[vocabulary]).flat(), ...USEFUL[vocabulary]]);
  return granted.filter((scope) => !wanted.has(scope));
}
