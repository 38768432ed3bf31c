/**
 * Kinds of the simulator's changes that can be found without their webhook. A vote that is taken back is left out: no list,
 * feed or date shows it, so only its webhook tells, and the entry of the vote stays (toldByDeliveryAlone.test.ts).
 */
export const FINDABLE_CHANGES = [
  'push',
  'force_push',
  'branch.create',
  'branch.delete',
  'tag.create',
  'pull_request.create',
  'pull_request.edit',
  'pull_request.reviewers',
  'pull_request.approve',
  'pull_request.request_changes',
  'pull_request.merge',
  'pull_request.decline',
  'comment.add',
  'comment.edit',
  'comment.delete',
  'comment.resolve',
  'comment.reopen',
];
