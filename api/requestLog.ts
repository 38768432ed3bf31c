import type { Context } from 'hono';
import type { Logger } from '../platform/log.ts';
import type { ApiEnv, Principal } from './dependencies.ts';

/** Fields of a request's log lines. */
export interface RequestIds {
  request_id: string;
  organization_id?: string;
  api_key_id?: string;
}

/** What a request's log lines are found by: its organization and key once these are known. */
export function idsOf(c: Context<ApiEnv>): RequestIds {
  const request_id = c.get('requestId');
  // Not there yet where the key was refused.
  const principal: Principal | undefined = c.get('principal');
  if (principal === undefined) return { request_id };
  return { request_id, organization_id: principal.organizationId, api_key_id: principal.apiKeyId };
}

/** A logger for what a request does beside its answer. Made where it is needed: most requests have nothing more to say. */
export const logOf = (c: Context<ApiEnv>): Logger => c.get('dependencies').log.child(idsOf(c));
