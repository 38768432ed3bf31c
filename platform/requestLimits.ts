import { z } from 'zod';

/**
 * Bitbucket counts its limits apart for these (facts 4.3). `other` is what no documented group names, such as users and
 * workspaces.
 */
export const LIMIT_GROUPS = ['repository_data', 'webhook_data', 'git_operations', 'other'] as const;
export type LimitGroup = (typeof LIMIT_GROUPS)[number];

/** Requests in a window by group; left out or 0: no limit of ours, only Bitbucket's refusals hold requests back. */
export type RequestLimits = Partial<Record<LimitGroup, number>>;

/** As documented, for a rolling hour. An account on a larger plan has more: answers to access tokens say so. */
export const DOCUMENTED_LIMITS: RequestLimits = {
  repository_data: 1_000,
  webhook_data: 1_000,
  git_operations: 60_000,
};

/** `repository_data=900,webhook_data=0`: what differs from the documented limits; `none`: no limits of ours. */
export const requestLimits = z.string().transform((text, context): RequestLimits => {
  if (text.trim() === 'none') return {};
  const limits = { ...DOCUMENTED_LIMITS };
  for (const part of text.split(',')) {
    const [name, value = ''] = part.split('=').map((piece) => piece.trim());
    const group = LIMIT_GROUPS.find((known) => known === name);
    if (group === undefined || !/^\d{1,7}$/.test(value)) {
      context.addIssue({ code: 'custom', message: 'not GROUP=NUMBER[,GROUP=NUMBER] or none' });
      return z.NEVER;
    }
    limits[group] = Number(value);
  }
  return limits;
});
