import { secretText } from '../model/random.ts';
import { tokenPerson } from '../model/people.ts';
import type { World } from '../model/world.ts';
import type { Credential, CredentialKind, TokenHome } from './credential.ts';
import { ALL_OAUTH_SCOPES, HOOK_TOKEN_SCOPES, READ_TOKEN_SCOPES } from './scopes.ts';

const DAY_MS = 86_400_000;
const OAUTH_READ = ['account', 'project', 'repository', 'pullrequest', 'issue', 'webhook'] as const;

/** All credentials of the host by secret. OAuth grants come and go; the rest is fixed by the seed. */
export interface Credentials {
  all(): Iterable<Credential>;
  bySecret(secret: string): Credential | undefined;
  byName(name: string): Credential | undefined;
  add(credential: Credential): void;
}

interface Draft {
  name: string;
  kind: CredentialKind;
  shows: string;
  scopes: readonly string[];
  who?: keyof World['cast'];
  home?: TokenHome;
  expiresAtMs?: number;
  revoked?: boolean;
}

/** Secrets look like the real ones: their prefixes matter to the host (facts 1.3, 1.4). */
function secretOf(seed: number, draft: Draft): string {
  const text = (length: number): string => secretText(`${seed}/credential/${draft.name}`, length);
  if (draft.kind === 'api_token') return `ATATT3xFfGF0${text(180)}`;
  if (draft.kind === 'password') return `Pass-${text(14)}`;
  if (draft.kind === 'app_password') return `ATBB${text(32)}`;
  return `ATCTT3xFfGN0${text(180)}`;
}

function userDrafts(nowMs: number): Draft[] {
  const token = (
    name: string,
    who: keyof World['cast'],
    scopes: readonly string[],
    shows: string,
  ): Draft => ({
    name: `api_token.${name}`,
    kind: 'api_token',
    who,
    scopes,
    shows,
    expiresAtMs: nowMs + 300 * DAY_MS,
  });
  const read = READ_TOKEN_SCOPES;
  const without = (...names: string[]): string[] =>
    read.filter((scope) => !names.some((name) => scope === `read:${name}:bitbucket`));
  const appScopes = ['account', 'project', 'repository', 'pullrequest', 'issue', 'webhook'];
  return [
    token('admin', 'admin', [...read, ...HOOK_TOKEN_SCOPES], 'workspace owner, everything allowed'),
    token('service', 'service', read, 'service account, reads everything but has no webhooks'),
    token(
      'member',
      'member',
      [...read, ...HOOK_TOKEN_SCOPES],
      'plain member: webhooks refused for lack of rights',
    ),
    token(
      'repository_admin',
      'repositoryAdmin',
      [...read, ...HOOK_TOKEN_SCOPES],
      'administrator of one repository',
    ),
    token('outsider', 'outsider', read, 'valid, but sees no workspace'),
    token('no_user', 'service', without('user'), 'lacks read:user'),
    token('no_workspace', 'service', without('workspace'), 'lacks read:workspace'),
    token('no_pull_requests', 'service', without('pullrequest'), 'lacks read:pullrequest'),
    token('no_repositories', 'service', without('repository'), 'lacks read:repository'),
    token(
      'excess',
      'service',
      [...read, 'write:repository:bitbucket', 'admin:project:bitbucket'],
      'more than needed',
    ),
    token('unscoped', 'service', [], 'made without scopes: refused like a wrong one'),
    { ...token('expired', 'service', read, 'expired'), expiresAtMs: nowMs - DAY_MS },
    { ...token('revoked', 'service', read, 'revoked'), revoked: true },
    { ...token('expiring', 'service', read, 'expires in three days'), expiresAtMs: nowMs + 3 * DAY_MS },
    {
      name: 'app_password.service',
      kind: 'app_password',
      who: 'service',
      scopes: appScopes.filter((scope) => scope !== 'webhook'),
      shows: 'app password with read scopes: works in the era of the guide only',
    },
    {
      name: 'app_password.member',
      kind: 'app_password',
      who: 'member',
      scopes: appScopes,
      shows: 'app password of the account with two-step verification',
    },
    {
      name: 'app_password.admin',
      kind: 'app_password',
      who: 'admin',
      scopes: appScopes,
      shows: 'app password of the workspace owner',
    },
    ...(['admin', 'service', 'member', 'repositoryAdmin', 'outsider'] as const).map(
      (who): Draft => ({
        name: `password.${who === 'repositoryAdmin' ? 'repository_admin' : who}`,
        kind: 'password',
        who,
        scopes: ALL_OAUTH_SCOPES,
        shows:
          who === 'member'
            ? 'account password with two-step verification: log-in page with its code; 403 at the API of the guide'
            : 'account password: log-in page; API of the guide with password log-in on',
      }),
    ),
  ];
}

function homeDrafts(world: World): Draft[] {
  const drafts: Draft[] = [];
  const repository = world.repositories[0];
  const workspace = repository?.workspace ?? world.workspaces[0];
  if (workspace !== undefined) {
    const home: TokenHome = { kind: 'workspace', workspace };
    const kind = 'workspace_access_token' as const;
    drafts.push(
      {
        name: 'access_token.workspace',
        kind,
        home,
        scopes: OAUTH_READ,
        shows: `workspace ${workspace.slug}`,
      },
      {
        name: 'access_token.workspace_read',
        kind,
        home,
        scopes: ['account', 'project', 'repository', 'pullrequest'],
        shows: `workspace ${workspace.slug} without webhook and issue scopes`,
      },
    );
  }
  if (repository !== undefined) {
    const { workspace: owner, project } = repository;
    const scopes = ['repository', 'pullrequest', 'issue', 'webhook'];
    drafts.push(
      {
        name: 'access_token.project',
        kind: 'project_access_token',
        home: { kind: 'project', workspace: owner, project },
        scopes: ['project', ...scopes],
        shows: `project ${owner.slug}/${project.key}`,
      },
      {
        name: 'access_token.repository',
        kind: 'repository_access_token',
        home: { kind: 'repository', workspace: owner, repository },
        scopes,
        shows: `repository ${owner.slug}/${repository.slug}`,
      },
      {
        name: 'access_token.revoked',
        kind: 'repository_access_token',
        home: { kind: 'repository', workspace: owner, repository },
        scopes,
        revoked: true,
        shows: 'revoked repository token',
      },
    );
  }
  return drafts;
}

/** The demo's credentials. Lifetimes count from `nowMs`. */
export function createCredentials(world: World, nowMs: number): Credentials {
  const bySecret = new Map<string, Credential>();
  const byName = new Map<string, Credential>();
  const add = (credential: Credential): void => {
    bySecret.set(credential.secret, credential);
    byName.set(credential.name, credential);
  };
  for (const draft of [...userDrafts(nowMs), ...homeDrafts(world)]) {
    const person =
      draft.who === undefined ? tokenPerson(world.seed, draft.name, draft.kind) : world.cast[draft.who];
    add({
      name: draft.name,
      kind: draft.kind,
      person,
      secret: secretOf(world.seed, draft),
      scopes: draft.scopes,
      expiresAtMs: draft.expiresAtMs ?? null,
      revoked: draft.revoked ?? false,
      home: draft.home ?? null,
      shows: draft.shows,
    });
  }
  return {
    all: () => byName.values(),
    bySecret: (secret) => bySecret.get(secret),
    byName: (name) => byName.get(name),
    add,
  };
}
