export type HookSubject = 'repository' | 'workspace';

/** Only for subscriptions of a whole workspace, unless told otherwise; which these are is a guess (facts 5.2). */
export const WORKSPACE_ONLY = [
  'repo:created',
  'repo:deleted',
  'repo:imported',
  'repo:transfer',
  'project:updated',
];

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
export function hookEvents(
  subject: HookSubject,
  { era, workspaceOnlyEvents }: { era: 'guide' | 'today'; workspaceOnlyEvents: readonly string[] },
): string[] {
  const issue = era === 'guide' ? ISSUE : [];
  const all = [...SHARED, ...issue, ...WORKSPACE_ONLY].toSorted();
  return subject === 'workspace' ? all : all.filter((event) => !workspaceOnlyEvents.includes(event));
}

/** The scope a subscription to an event needs besides `webhook` (facts 1.2). */
export function scopeOfEvent(event: string): string {
  if (event.startsWith('pullrequest:')) return 'pullrequest';
  if (event.startsWith('issue:')) return 'issue';
  return 'repository';
}
