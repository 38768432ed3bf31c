import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Actor } from './access.ts';

/** Whom a request counts for: a user over all credentials, an access token for itself, an address when anonymous (facts 4.3). */
export function accountKey(actor: Actor, request: IncomingMessage): string {
  if (actor === null) return request.socket.remoteAddress ?? 'unknown';
  return actor.home === null
    ? actor.person.uuid
    : createHash('sha256').update(actor.secret).digest('hex').slice(0, 16);
}
