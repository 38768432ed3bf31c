import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import type { Role } from '../db/schema/tenancy.ts';
import type { ApiEnv, Principal } from './dependencies.ts';
import type { KeyDirectory } from './keyDirectory.ts';
import { invalidRequest, Problem } from './problem.ts';

const RANK: Record<Role, number> = { viewer: 0, manager: 1, admin: 2 };

/** `bb_` + public prefix + `_` + 256 random bits; see `scripts/apiKey.ts`. */
const KEY_FORM = /^(bb_[a-z0-9]{12})_[A-Za-z0-9_-]{43}$/;

/** One answer for every reason, so that nobody learns which keys there were. */
const notAuthenticated = (): Problem =>
  new Problem({
    status: 401,
    code: 'not_authenticated',
    detail: 'The request carries no valid API key.',
    fix: 'Send `Authorization: Bearer KEY` with a key that is neither expired nor revoked; the operator makes one with npm run api-key.',
    headers: { 'WWW-Authenticate': 'Bearer realm="bucket-brigade"' },
  });

const notAllowed = (role: Role, needed: Role): Problem =>
  new Problem({
    status: 403,
    code: 'role_not_sufficient',
    detail: `This key has the role ${role}; the operation needs ${needed}.`,
    fix: `Use a key with the role ${needed}.`,
  });

/**
 * Lets a request pass whose bearer key is valid and has at least this role, and puts who it is into
 * `c.var.principal`. A revoked key ends with the next request.
 */
export function requireKey(needed: Role): MiddlewareHandler<ApiEnv> {
  return async (c, next) => {
    const key = /^Bearer (\S+)$/i.exec(c.req.header('Authorization') ?? '')?.[1] ?? '';
    const found = await identify(c.var.keys, key);
    if (found === null) throw notAuthenticated();
    if (RANK[found.role] < RANK[needed]) throw notAllowed(found.role, needed);
    c.set('principal', { ...found, actingUser: actingUserOf(c.req.header('Acting-User')) });
    await next();
  };
}

function actingUserOf(header: string | undefined): string | null {
  const user = header?.trim() ?? '';
  if (Array.from(user).length > 200) {
    throw invalidRequest(400, [
      {
        location: 'header.Acting-User',
        message: 'Longer than 200 characters.',
        fix: 'Give at most 200 characters.',
      },
    ]);
  }
  return user === '' ? null : user;
}

async function identify(keys: KeyDirectory, key: string): Promise<Omit<Principal, 'actingUser'> | null> {
  const prefix = KEY_FORM.exec(key)?.[1];
  if (prefix === undefined) return null;
  const row = await keys.find(prefix);
  const given = createHash('sha256').update(key).digest();
  // Compared even when there is no such key, so that a prefix cannot be told from a wrong key by time.
  const same = timingSafeEqual(given, row?.hash ?? given);
  if (row === null || !same || row.ended) return null;
  return { organizationId: row.organizationId, apiKeyId: row.id, role: row.role };
}
