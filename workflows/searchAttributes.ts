import { defineSearchAttributeKey } from '@temporalio/common';

/** Stored in clear by Temporal: ids and stages only, never names or secrets. */
export const INTEGRATION_ID = defineSearchAttributeKey('IntegrationId', 'KEYWORD');
export const ORGANIZATION_ID = defineSearchAttributeKey('OrganizationId', 'KEYWORD');
export const REPOSITORY_ID = defineSearchAttributeKey('RepositoryId', 'KEYWORD');
/** What a run is doing: an integration's or an import's state, or the stream being read. */
export const STAGE = defineSearchAttributeKey('Stage', 'KEYWORD');

/** What a Temporal namespace must have registered before a worker starts. */
export const SEARCH_ATTRIBUTES = [INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID, STAGE].map(({ name }) => ({
  name,
  type: 'Keyword' as const,
}));
