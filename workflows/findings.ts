import type { Finding } from './words.ts';

/** Reasons that the workflows themselves give; what Bitbucket's answers tell is found by the activities. */

export const CHECK_INTERRUPTED: Finding = {
  code: 'check_interrupted',
  message: 'The connection check ended before it had a result.',
  remedy: 'Submit the credential again.',
};

/** `Finding.code` of a request that was held back because Bitbucket refused the credential before: no answer of Bitbucket. */
export const CREDENTIAL_HELD = 'credential_held';

export const CREDENTIAL_REFUSED: Finding = {
  code: 'invalid_credentials',
  message: 'Bitbucket refused the credential (401) at least three times over a longer time.',
  remedy:
    'The credential is expired, revoked or was changed. Submit a new one: imports then go on from their checkpoints.',
};

export const INTEGRATION_PAUSED: Finding = {
  code: 'paused',
  message: 'A person paused the integration: nothing is fetched.',
  remedy: 'Resume it: what was under way goes on from its checkpoints.',
};

export const DISCOVERY_INTERRUPTED: Finding = {
  code: 'discovery_interrupted',
  message: 'The discovery of workspaces and repositories ended unexpectedly.',
  remedy: 'Start it again with discover.',
};

export const POLL_INTERRUPTED: Finding = {
  code: 'poll_interrupted',
  message: 'The round that looked for changes was ended by an operator.',
  remedy: 'Nothing to do: the next one looks from where the last complete one began.',
};

export const POLL_STOPPED: Finding = {
  code: 'poll_stopped',
  message:
    'The round that looked for changes ended before it had asked all, because the integration became inactive.',
  remedy:
    'Nothing to do: once it is active again, the next one looks from where the last complete one began.',
};

export const ESTIMATE_INTERRUPTED: Finding = {
  code: 'estimate_interrupted',
  message: 'The estimate ended before it had a result.',
  remedy: 'Ask for it again.',
};

export const RETRY_INTERRUPTED: Finding = {
  code: 'retry_interrupted',
  message: 'The quarantine was being tried again when an operator ended that.',
  remedy: 'Start it again: what is stored already has left the quarantine.',
};

export const WORKER_GONE: Finding = {
  code: 'worker_gone',
  message: 'The worker that did this was killed; the one that came after it says so.',
  remedy: 'Nothing to do: it is tried again at once.',
};

export const REPOSITORY_RUN_LOST: Finding = {
  code: 'run_ended_unexpectedly',
  message: 'The run that imported this repository ended without a result, or an operator ended it.',
  remedy: 'Import the repository again: it goes on from its checkpoints.',
};
