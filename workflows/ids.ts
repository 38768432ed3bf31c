/**
 * Workflow ids are business keys: the same thing asked for twice meets the same run.
 * All of them are made here, so that a collision or an over-long id can be tested in one place.
 */

export const integrationWorkflowId = (integrationId: string): string => `integration/${integrationId}`;

export const connectionCheckWorkflowId = (checkId: string): string => `connection-check/${checkId}`;

export const discoveryWorkflowId = (integrationId: string): string =>
  `integration/${integrationId}/discovery`;

/** Of repositories that a webhook says are new. Apart from a discovery: to join this one is not to discover everything. */
export const lookUpWorkflowId = (integrationId: string): string => `integration/${integrationId}/look-up`;

/** One per integration: it sees to all of its webhooks at Bitbucket. */
export const webhooksWorkflowId = (integrationId: string): string => `integration/${integrationId}/webhooks`;

export const quarantineRetryWorkflowId = (retryId: string): string => `quarantine-retry/${retryId}`;

export const importWorkflowId = (importId: string): string => `import/${importId}`;

/** One per repository, not per import: a second import of the same repository joins the first. */
export const importRepositoryWorkflowId = (repositoryId: string): string =>
  `repository/${repositoryId}/import`;

export const estimateWorkflowId = (estimateId: string): string => `import-estimate/${estimateId}`;

/** The schedule of an integration's poll rounds; the id of a round has the time behind it. */
export const pollId = (integrationId: string): string => `integration/${integrationId}/poll`;

/** A person wants all repositories of an integration up to date. */
export const syncAllWorkflowId = (integrationId: string): string => `integration/${integrationId}/sync-all`;

/** One per repository: hints that come while it runs are taken up by it. */
export const syncRepositoryWorkflowId = (repositoryId: string): string => `repository/${repositoryId}/sync`;

/** One per integration: to delete it twice is one removal. */
export const disconnectWorkflowId = (integrationId: string): string =>
  `integration/${integrationId}/disconnect`;

export const removeRepositoryWorkflowId = (repositoryId: string): string =>
  `repository/${repositoryId}/remove`;
