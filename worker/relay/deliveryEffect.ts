import type { Service, WantedPart } from '../../workflows/words.ts';

/** What a delivery is a hint for. */
export type DeliveryEffect =
  /** the repository with this uuid may have changed in what these services bring in */
  | { kind: 'sync'; repositoryUuid: string; services: Service[]; wanted?: WantedPullRequest }
  /** the repository with this uuid is new, or has another name or description: its record alone is to be read */
  | { kind: 'repository'; repositoryUuid: string }
  /** the repository with this uuid went: what the account sees has changed, where it was seen at all */
  | { kind: 'deletion'; repositoryUuid: string }
  /** what the account sees may have changed: a repository has another place, or which one it is cannot be read */
  | { kind: 'discovery' }
  /** nothing that is kept here, or nothing that can be understood */
  | { kind: 'none'; reason: 'event_not_kept' | 'event_unknown' | 'body_unreadable' };

/** One pull request, of which the delivery tells what no list need show. */
export interface WantedPullRequest {
  number: number;
  part: WantedPart;
}

/**
 * Events after which `updated_on` need not have moved, so that no list shows it (facts 3.7): a vote that was taken back,
 * a reviewer who was removed, and a comment that was resolved or reopened. Where the list shows it, nothing more is asked.
 */
const SHOWN_NOWHERE: ReadonlyMap<string, WantedPart> = new Map([
  ['pullrequest:unapproved', 'record'],
  ['pullrequest:changes_request_removed', 'record'],
  ['pullrequest:updated', 'record'],
  ['pullrequest:comment_resolved', 'comments'],
  ['pullrequest:comment_reopened', 'comments'],
]);

/** Events about the list of repositories rather than about what is in one. */
const DISCOVERS = new Set([
  'repo:created',
  'repo:updated',
  'repo:deleted',
  'repo:transfer',
  'repo:imported',
  'project:updated',
]);

/** About the record of one repository, which one request reads: a discovery lists all of them. */
const LOOKS_UP = new Set(['repo:created', 'repo:updated']);

/** Known, and about things that are not imported. */
const NOT_KEPT = new Set([
  'repo:fork',
  'repo:commit_comment_created',
  'repo:commit_status_created',
  'repo:commit_status_updated',
  'pipeline:span_created',
]);

/** What is known of a delivery: its event, and what the receiver read of its body. */
export interface DeliveryFacts {
  eventKey: string;
  repositoryUuid: string | null;
  pullRequestState: string | null;
  pullRequestNumber: number | null;
}

/**
 * Works out what a delivery is about. The keys are Bitbucket's of August 2026; newer ones with a known first word count
 * too.
 *
 * @example
 * deliveryEffect({ eventKey: 'repo:push', repositoryUuid: '{…}', pullRequestState: null, pullRequestNumber: null });
 * // { kind: 'sync', repositoryUuid: '{…}', services: ['repositories'] }
 */
export function deliveryEffect({
  eventKey,
  repositoryUuid,
  pullRequestState,
  pullRequestNumber,
}: DeliveryFacts): DeliveryEffect {
  if (LOOKS_UP.has(eventKey) && repositoryUuid !== null) return { kind: 'repository', repositoryUuid };
  if (eventKey === 'repo:deleted' && repositoryUuid !== null) return { kind: 'deletion', repositoryUuid };
  if (DISCOVERS.has(eventKey)) return { kind: 'discovery' };
  if (NOT_KEPT.has(eventKey)) return { kind: 'none', reason: 'event_not_kept' };
  const services = servicesOf(eventKey);
  if (services === undefined) return { kind: 'none', reason: 'event_unknown' };
  if (repositoryUuid === null) return { kind: 'none', reason: 'body_unreadable' };
  // A merge moves the destination branch; its own push may be lost.
  const isMerged = eventKey === 'pullrequest:fulfilled' || pullRequestState === 'MERGED';
  if (isMerged && services.includes('pull_requests')) services.push('repositories');
  const part = SHOWN_NOWHERE.get(eventKey);
  if (part === undefined || pullRequestNumber === null) return { kind: 'sync', repositoryUuid, services };
  return { kind: 'sync', repositoryUuid, services, wanted: { number: pullRequestNumber, part } };
}

function servicesOf(eventKey: string): Service[] | undefined {
  if (eventKey === 'repo:push') return ['repositories'];
  if (eventKey.startsWith('pullrequest:')) return ['pull_requests'];
  // only where the host still has trackers
  if (eventKey.startsWith('issue:')) return ['tickets'];
  return undefined;
}
