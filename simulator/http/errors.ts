import { emptyReply, jsonReply, type Reply, ReplyError } from './reply.ts';

/** The host's own error texts, from facts 1.5, 1.6, 3 and 4. One function per text, so that equal causes cannot differ. */

export function errorReply(
  status: number,
  error: { message: string; detail?: unknown; data?: unknown; fields?: unknown },
): Reply {
  const top = status === 404 && error.data !== undefined ? { data: error.data } : {};
  return jsonReply(JSON.stringify({ ...top, type: 'error', error }), status);
}

/** Wrong user name or password; also app and account passwords where they are not taken any more (facts 1.6). */
export const badLogin = (): Reply =>
  emptyReply(401, { 'www-authenticate': 'Basic realm="Bitbucket.org HTTP"' });

/** A token that is wrong, expired, revoked, made without scopes, or used with the wrong user name (facts 1.6). */
export const badToken = (): Reply =>
  errorReply(401, { message: 'Token is invalid, expired, or not supported for this endpoint.' });

export const expiredToken = (): Reply =>
  errorReply(401, {
    message: 'Access token expired. Use your refresh token to obtain a new access token.',
  });

export const forbidden = (): Reply => errorReply(403, { message: 'Forbidden' });

export const needsAdmin = (): Reply =>
  errorReply(403, { message: 'Access denied. You must have write or admin access.' });

export const missingScopes = (granted: readonly string[], required: readonly string[]): Reply =>
  errorReply(403, {
    message: 'Your credentials lack one or more required privilege scopes.',
    detail: { granted, required },
  });

/** Missing and invisible repositories look the same (facts 4.2). */
export const NO_REPOSITORY =
  'You may not have access to this repository or it no longer exists in this workspace. If you think this repository exists and you have access, make sure you are authenticated.';

export const noRepository = (): Reply => errorReply(404, { message: NO_REPOSITORY });

export const noWorkspace = (identifier: string): Reply =>
  errorReply(404, { message: `No workspace with identifier '${identifier}'.` });

export const noRoute = (): Reply =>
  errorReply(404, { message: 'Resource not found', detail: 'There is no API hosted at this URL' });

export const notFound = (message: string): Reply => errorReply(404, { message });

export const badRequest = (message: string): Reply => errorReply(400, { message });

export const commitNotFound = (shas: readonly string[]): Reply =>
  errorReply(404, { message: 'Commit not found', data: { shas } });

/** A removed endpoint (facts 3.8 and 4.2). CHANGE-2770 was recorded with `data` at the top level as well. */
export function removed(change: string): Reply {
  const data = {
    announcement_url: `https://developer.atlassian.com/cloud/bitbucket/changelog#${change}`,
  };
  const error = {
    message: `${change} - Functionality has been deprecated`,
    detail: 'Please read the changelog entry for more details.',
    data,
  };
  return jsonReply(
    JSON.stringify({ type: 'error', error, ...(change === 'CHANGE-2770' ? { data } : {}) }),
    410,
  );
}

export const rateLimited = (): Reply =>
  errorReply(429, { message: 'Rate limit for this resource has been exceeded' });

/** Throws the reply. */
export function refuse(reply: Reply): never {
  throw new ReplyError(reply);
}
