import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Actor } from './auth/access.ts';
import { accountKey } from './auth/accountKey.ts';
import type { GitAccess } from './auth/gitAccess.ts';
import type { RateLimits } from './auth/rateLimit.ts';
import { rateLimited } from './http/errors.ts';
import { emptyReply, type Reply } from './http/reply.ts';
import { fullName, type Repository } from './model/entities.ts';
import type { Host } from './rest/host.ts';
import { findRepository } from './rest/resolve.ts';

/** What became of a git request: an answer to write, or `served` when git wrote it itself. */
export type GitOutcome = { actor: Actor; reply: Reply | 'served' };

const SERVICE = /^\/([^/]+)\/([^/]+?)(?:\.git)?(\/info\/refs|\/git-upload-pack|\/git-receive-pack|\/HEAD)$/;

/** Whether an address is one of git's. */
export const isGitPath = (path: string): boolean => SERVICE.test(path);

/** `https://bitbucket.org/{workspace}/{repository}.git` (facts 1.7). */
export function createGitHost(options: {
  host: Host;
  access(authorization: string | undefined, repository: Repository | undefined): GitAccess;
  limits: RateLimits;
}): (request: IncomingMessage, response: ServerResponse) => Promise<GitOutcome> {
  const { host } = options;
  return async (request, response) => {
    const target = request.url ?? '/';
    const [path = '', query] = target.split('?');
    const match = SERVICE.exec(path);
    if (match === null) return { actor: null, reply: emptyReply(404) };
    const [, workspace = '', slug = '', rest = ''] = match;
    const found = findRepository(host, decodeURIComponent(workspace), decodeURIComponent(slug));
    const access = options.access(request.headers.authorization, found?.repository);
    if (!access.allowed) return { actor: access.actor, reply: access.reply };
    const group = access.actor === null ? 'anonymous' : 'git';
    if (options.limits.take(accountKey(access.actor, request), group)?.allowed === false) {
      return { actor: access.actor, reply: rateLimited() };
    }
    if (found === undefined) return { actor: access.actor, reply: emptyReply(404) };
    const subPath = query === undefined ? rest : `${rest}?${query}`;
    if (found.moved) {
      const location = `${host.urls.web}/${fullName(found.repository)}.git${subPath}`;
      return { actor: access.actor, reply: emptyReply(301, { location }) };
    }
    await host.git.handle(request, response, found.repository.gitKey, subPath);
    return { actor: access.actor, reply: 'served' };
  };
}
