import type { Clock } from '../clock.ts';
import { emptyReply, type Reply } from '../http/reply.ts';
import { badLogin, NO_REPOSITORY } from '../http/errors.ts';
import type { Repository } from '../model/entities.ts';
import { type Actor, repositoryRight } from './access.ts';
import { readBasic } from './authenticate.ts';
import type { Credential } from './credential.ts';
import type { Credentials } from './credentials.ts';
import { expandScopes } from './scopes.ts';

export type GitAccess = { allowed: true; actor: Actor } | { allowed: false; reply: Reply; actor: Actor };

const text = (status: number, body: string): Reply => ({
  status,
  headers: { 'content-type': 'text/plain; charset=utf-8' },
  body: `${body}\n`,
});

/** Git shows each line after `remote:`. Missing, invisible and lacking a scope look the same (facts 1.7). */
const noRepository = (): Reply => text(404, NO_REPOSITORY);

const PASSWORD_GONE = 'Bitbucket Cloud recently stopped supporting account passwords for Git authentication.';

/** Without a challenge git never sends what it has. */
const challenge = (reply: Reply): Reply => ({
  ...reply,
  headers: { 'www-authenticate': 'Basic realm="Bitbucket.org HTTP"', ...reply.headers },
});

/** Who may clone what, by which user name and password (facts 1.7). */
export function createGitAccess(options: {
  credentials: Credentials;
  clock: Clock;
  era: 'guide' | 'today';
}): (authorization: string | undefined, repository: Repository | undefined) => GitAccess {
  function fits(credential: Credential, username: string): boolean {
    switch (credential.kind) {
      case 'api_token':
        // Never the e-mail.
        return username === 'x-bitbucket-api-token-auth' || username === credential.person.username;
      case 'app_password':
        return options.era === 'guide' && username === credential.person.username;
      case 'password':
        return false;
      default:
        return username === 'x-token-auth';
    }
  }

  function mayRead(credential: Credential): boolean {
    return credential.kind === 'api_token'
      ? credential.scopes.includes('read:repository:bitbucket')
      : expandScopes(credential.scopes).has('repository');
  }

  return (authorization, repository) => {
    const pair = authorization === undefined ? undefined : readBasic(authorization);
    if (pair === undefined) {
      if (repository !== undefined && repositoryRight(null, repository) !== null) {
        return { allowed: true, actor: null };
      }
      return { allowed: false, reply: challenge(emptyReply(401)), actor: null };
    }
    const credential = options.credentials.bySecret(pair.password);
    const expired =
      credential !== undefined &&
      credential.expiresAtMs !== null &&
      credential.expiresAtMs <= options.clock.nowMs();
    if (credential === undefined || credential.revoked || expired || !fits(credential, pair.username)) {
      const reply = credential?.kind === 'password' ? challenge(text(401, PASSWORD_GONE)) : badLogin();
      return { allowed: false, reply, actor: credential ?? null };
    }
    const readable =
      repository !== undefined && mayRead(credential) && repositoryRight(credential, repository) !== null;
    return readable
      ? { allowed: true, actor: credential }
      : { allowed: false, reply: noRepository(), actor: credential };
  };
}
