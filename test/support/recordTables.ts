/** Tables of records: what imports and syncs bring in. All others hold progress. */
export const RECORD_TABLES = [
  'accounts',
  'branches',
  'tags',
  'commits',
  'commit_files',
  'pull_requests',
  'pull_request_commits',
  'pull_request_participants',
  'pull_request_activity',
  'pull_request_comments',
  'tickets',
  'ticket_comments',
  'ticket_changes',
];
