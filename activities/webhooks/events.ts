import type { Service } from '../../workflows/words.ts';

/** What tells of repositories themselves: renamed, new, gone, moved to another workspace. */
const ALWAYS = ['repo:updated', 'repo:created', 'repo:deleted', 'repo:transfer'];

/** Issue events are in no list: Bitbucket removed its tracker, and may refuse a hook that asks for them (facts 5.2). */
const OF_SERVICE: Record<Service, readonly string[]> = {
  repositories: ['repo:push'],
  pull_requests: [
    'pullrequest:created',
    'pullrequest:updated',
    'pullrequest:push',
    'pullrequest:approved',
    'pullrequest:unapproved',
    'pullrequest:changes_request_created',
    'pullrequest:changes_request_removed',
    'pullrequest:fulfilled',
    'pullrequest:rejected',
    'pullrequest:comment_created',
    'pullrequest:comment_updated',
    'pullrequest:comment_deleted',
    'pullrequest:comment_resolved',
    'pullrequest:comment_reopened',
  ],
  tickets: [],
};

/** The events that the services live by. */
export const neededEvents = (services: readonly Service[]): ReadonlySet<string> =>
  new Set([...ALWAYS, ...services.flatMap((service) => OF_SERVICE[service])]);

/**
 * The events that a hook subscribes to: what the services need, of what Bitbucket offers for such a hook now. Which keys are
 * for workspaces only is not documented, so its list is read at run time (facts 5.2).
 */
export function wantedEvents(services: readonly Service[], offered: readonly string[]): string[] {
  const needed = neededEvents(services);
  return offered.filter((event) => needed.has(event));
}

/** Bitbucket gives events in an order of its own. */
export function sameEvents(one: readonly string[], other: readonly string[]): boolean {
  const set = new Set(one);
  return set.size === new Set(other).size && other.every((event) => set.has(event));
}
