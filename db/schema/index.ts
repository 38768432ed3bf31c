export * from './tenancy.ts';
export * from './integrations.ts';
export * from './discovery.ts';
export * from './imports.ts';
export * from './importProgress.ts';
export * from './streams.ts';
export * from './quarantine.ts';
export * from './sourceGaps.ts';
export * from './requestBudget.ts';
export * from './estimates.ts';
export * from './syncs.ts';
export * from './repositoryHealth.ts';
export * from './polls.ts';
export * from './webhooks.ts';
export * from './webhookUpkeep.ts';
export * from './events.ts';
export * from './removals.ts';
export * from './autoImport.ts';

/*
 * The imported data. Keys are (organization, repository, Bitbucket's own key). Text is stored with the
 * reversible escape of `db/text.ts`; `*_bytes` columns are set only where bytes are not valid UTF-8.
 * `updated_on` and `observed_at` guard every upsert: older data never overwrites newer.
 */
export * from './accounts.ts';
export * from './refs.ts';
export * from './commits.ts';
export * from './pullRequests.ts';
export * from './tickets.ts';
