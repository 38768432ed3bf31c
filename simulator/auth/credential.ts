import type { Project, Repository, Workspace } from '../model/entities.ts';
import type { Person } from '../model/people.ts';

export type CredentialKind =
  | 'oauth'
  | 'api_token'
  | 'app_password'
  | 'password'
  | 'workspace_access_token'
  | 'project_access_token'
  | 'repository_access_token';

/** What an access token belongs to; it sees nothing else that is private. */
export type TokenHome =
  | { kind: 'workspace'; workspace: Workspace }
  | { kind: 'project'; workspace: Workspace; project: Project }
  | { kind: 'repository'; workspace: Workspace; repository: Repository };

export interface Credential {
  /** Stable name for demos and tests, such as `api_token.service`. */
  name: string;
  kind: CredentialKind;
  /** The account, or the token's pseudo-user. */
  person: Person;
  secret: string;
  scopes: readonly string[];
  /** Milliseconds of the host's clock; null for never. */
  expiresAtMs: number | null;
  revoked: boolean;
  home: TokenHome | null;
  /** What it is good for in a demo. */
  shows: string;
}

/** `X-Credential-Type` (facts 1.5); `oauth2`, `app_password` and `password` were never seen and are our guess. */
export const CREDENTIAL_TYPE: Record<CredentialKind, string> = {
  oauth: 'oauth2',
  api_token: 'api_token',
  app_password: 'app_password',
  password: 'password',
  workspace_access_token: 'workspace_access_token',
  project_access_token: 'project_access_token',
  repository_access_token: 'repo_access_token',
};

export const isAccessToken = (credential: Credential): boolean => credential.home !== null;
