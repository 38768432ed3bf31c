import type { Credential } from '../auth/credential.ts';
import type { Host } from '../rest/host.ts';

/** A credential as demos and tests use it, secret included. */
export interface DemoCredential {
  name: string;
  kind: Credential['kind'];
  shows: string;
  secret: string;
  /** What stands before the colon in Basic; null where it goes in as Bearer. */
  login: string | null;
  owner: string;
  owner_name: string;
  scopes: readonly string[];
  expires_on: string | null;
  revoked: boolean;
  two_factor: boolean;
  /** Where the token is bound to something. */
  workspace: string | null;
  project: string | null;
  repository: string | null;
}

export function describeCredential(credential: Credential): DemoCredential {
  const { home, person } = credential;
  const logins: Partial<Record<Credential['kind'], string>> = {
    api_token: person.email,
    app_password: person.username,
    password: person.username,
  };
  return {
    name: credential.name,
    kind: credential.kind,
    shows: credential.shows,
    secret: credential.secret,
    login: logins[credential.kind] ?? null,
    owner: person.uuid,
    owner_name: person.displayName,
    scopes: credential.scopes,
    expires_on: credential.expiresAtMs === null ? null : new Date(credential.expiresAtMs).toISOString(),
    revoked: credential.revoked,
    two_factor: person.twoFactor,
    workspace: home?.workspace.slug ?? null,
    project: home?.kind === 'project' ? home.project.key : null,
    repository: home?.kind === 'repository' ? home.repository.slug : null,
  };
}

export function listCredentials(host: Host): DemoCredential[] {
  return [...host.credentials.all()].map(describeCredential);
}
