/**
 * Which rows go with what, and in which order: children before their parents, so that the foreign keys' own cascades find
 * nothing and each statement stays as large as it says. A test holds the lists against the schema: a new table that names
 * a repository, an import, an estimate, a webhook or an integration must be found here.
 */
export interface PurgedTable {
  name: string;
  /** the columns of its key behind organization and owner, in order, with their SQL types: the order of deleting */
  key: Record<string, string>;
  /** which streams its rows are of: those of a service, or as its column `stream` says; left out: of the whole */
  of?: 'repositories' | 'pull_requests' | 'tickets' | 'stream';
  /** fewer rows in a transaction than usual: each takes others along */
  rows?: number;
  /** rows of its partitions are told apart by their key alone */
  partitioned?: true;
}

/**
 * What was imported of a repository, by (organization_id, repository_id). `streams` first: without its checkpoint a writer
 * that is late is fenced, before any of its rows could come behind those that are removed.
 */
export const TABLES_OF_REPOSITORY: readonly PurgedTable[] = [
  { name: 'streams', key: { stream: 'text' }, of: 'stream' },
  { name: 'quarantine', key: { stream: 'text', id: 'uuid' }, of: 'stream' },
  { name: 'source_gaps', key: { stream: 'text', number: 'integer' }, of: 'stream' },
  { name: 'commit_files', key: { commit_hash: 'text', place: 'integer' }, of: 'repositories' },
  {
    name: 'pull_request_commits',
    key: { pull_request_number: 'integer', commit_hash: 'text' },
    of: 'pull_requests',
  },
  { name: 'commits', key: { hash: 'text' }, of: 'repositories' },
  { name: 'branches', key: { name: 'text' }, of: 'repositories' },
  { name: 'tags', key: { name: 'text' }, of: 'repositories' },
  {
    name: 'pull_request_activity',
    key: { pull_request_number: 'integer', entry_key: 'text' },
    of: 'pull_requests',
  },
  {
    name: 'pull_request_comments',
    key: { pull_request_number: 'integer', comment_id: 'bigint' },
    of: 'pull_requests',
  },
  {
    name: 'pull_request_participants',
    key: { pull_request_number: 'integer', account_key: 'text' },
    of: 'pull_requests',
  },
  { name: 'pull_requests', key: { number: 'integer' }, of: 'pull_requests' },
  { name: 'ticket_comments', key: { ticket_number: 'integer', comment_id: 'bigint' }, of: 'tickets' },
  { name: 'ticket_changes', key: { ticket_number: 'integer', change_id: 'bigint' }, of: 'tickets' },
  { name: 'tickets', key: { number: 'integer' }, of: 'tickets' },
  { name: 'repository_syncs', key: { repository_id: 'uuid' } },
  { name: 'sync_ranges', key: { repository_id: 'uuid' } },
  { name: 'wanted_pull_requests', key: { number: 'integer', part: 'text' } },
  { name: 'webhook_wakes', key: { integration_id: 'uuid' } },
];

/**
 * What else names a repository, and goes only with its row: what imports and estimates say of it is theirs. A row of an
 * import takes its streams of this repository along, eight at most; a webhook, its deliveries of a week.
 */
export const TABLES_BESIDE_REPOSITORY: readonly PurgedTable[] = [
  { name: 'import_repositories', key: { import_id: 'uuid' }, rows: 500 },
  { name: 'import_estimate_repositories', key: { estimate_id: 'uuid' } },
  { name: 'repository_names', key: { full_name: 'text' } },
  { name: 'webhooks', key: { id: 'uuid' }, rows: 10 },
];

/** By (organization_id, import_id). The totals first: each stream that goes would be taken out of them. */
export const TABLES_OF_IMPORT: readonly PurgedTable[] = [
  {
    name: 'import_totals',
    key: { stream: 'text', state: 'text', incomplete: 'boolean', basis: 'text', method: 'text' },
  },
  { name: 'import_events', key: { id: 'bigint' } },
  { name: 'import_streams', key: { repository_id: 'uuid', stream: 'text' } },
  { name: 'import_repositories', key: { repository_id: 'uuid' } },
];

/** By (organization_id, estimate_id). */
export const TABLES_OF_ESTIMATE: readonly PurgedTable[] = [
  { name: 'import_estimate_repositories', key: { repository_id: 'uuid' } },
];

/** By (organization_id, webhook_id). */
export const TABLES_OF_WEBHOOK: readonly PurgedTable[] = [
  { name: 'webhook_deliveries', key: { received_on: 'date', id: 'uuid' }, partitioned: true },
];

/** By (organization_id, integration_id), once its imports, estimates, webhooks and repositories are gone. */
export const TABLES_OF_INTEGRATION: readonly PurgedTable[] = [
  { name: 'webhook_wakes', key: { repository_id: 'uuid' } },
  { name: 'webhook_upkeep', key: { integration_id: 'uuid' } },
  { name: 'auto_import', key: { integration_id: 'uuid' } },
  { name: 'webhooks', key: { id: 'uuid' }, rows: 10 },
  { name: 'integration_polls', key: { integration_id: 'uuid' } },
  { name: 'workspace_polls', key: { workspace_id: 'uuid' } },
  { name: 'quarantine_retries', key: { id: 'uuid' } },
  { name: 'import_estimates', key: { id: 'uuid' } },
  { name: 'imports', key: { id: 'uuid' } },
  { name: 'connection_checks', key: { id: 'uuid' } },
  { name: 'oauth_flows', key: { id: 'uuid' } },
  { name: 'credentials', key: { id: 'uuid' } },
  { name: 'integration_repositories', key: { repository_id: 'uuid' } },
  { name: 'integration_workspaces', key: { workspace_id: 'uuid' } },
];
