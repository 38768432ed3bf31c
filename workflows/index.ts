/** What the workflow bundle offers: one export a workflow type. */
export { connectionCheck } from './connectionCheck.ts';
export { disconnectIntegration } from './disconnectIntegration.ts';
export { discoverIntegration } from './discoverIntegration.ts';
export { estimateImport } from './estimateImport.ts';
export { importRepositories } from './importRepositories.ts';
export { importRepository } from './importRepository.ts';
export { integration } from './integration.ts';
export { pollIntegration } from './pollIntegration.ts';
export { removeRepository } from './removeRepository.ts';
export { retryQuarantine } from './retryQuarantine.ts';
export { syncRepository } from './syncRepository.ts';
export { keepWebhooks } from './keepWebhooks.ts';
