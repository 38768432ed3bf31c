import type { Actor } from '../auth/access.ts';
import type { LimitGroup } from '../auth/rateLimit.ts';
import type { Requirement } from '../auth/scopes.ts';
import type { FieldSelection } from './fields.ts';
import type { Reply } from './reply.ts';

/** One request to the API, after authentication. */
export interface Call {
  method: string;
  /** Full address without the query: what `next` links start with. */
  base: string;
  params: Record<string, string>;
  query: URLSearchParams;
  actor: Actor;
  fields: FieldSelection | undefined;
  header(name: string): string | undefined;
  body(): Promise<string>;
}

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** `/repositories/:workspace/:repository/pullrequests`; a last `*rest` takes the remaining path. */
  path: string;
  needs: Requirement;
  group: LimitGroup;
  /** Whether access tokens may call it at all; default yes. */
  usersOnly?: boolean;
  handle(call: Call): Reply | Promise<Reply>;
}
