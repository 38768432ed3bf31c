export type HookSubject = 'repository' | 'workspace';

/** Only for subscriptions of a whole workspace; which these are is a guess (facts 5.2). */
const WORKSPACE_ONLY = ['repo:created', 'repo:deleted', 'repo:imported', 'repo:transfer', 'project:updated'];

const SHARED = [
  'repo:push',
  'repo:fork',
  'repo:updated',
  'repo:commit_comment_created',
  'repo:commit_status_created',
  'repo:commit_status_updated',
  'pullrequest:created',
  'pullrequest:updated',
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
  'pullrequest:push',
  'pipeline:span_created',
];

const ISSUE = ['issue:created', 'issue:updated', 'issue:comment_created'];

/** Event keys in the server's own order. */
export function hookEvents(subject: HookSubject, era: 'guide' | 'today'): string[] {
  const issue = era === 'guide' ? ISSUE : [];
  const wide = subject === 'workspace' ? WORKSPACE_ONLY : [];
  return [...SHARED, ...issue, ...wide].toSorted();
}

/** The scope a subscription to an event needs besides `webhook` (facts 1.2). */
export function scopeOfEvent(event: string): string {
  if (event.startsWith('pullrequest:')) return 'pullrequest';
  if (event.startsWith('issue:')) return 'issue';
  return 'repository';
}
