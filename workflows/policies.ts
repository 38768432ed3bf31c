import { isCancellation, proxyActivities, proxyLocalActivities, workflowInfo } from '@temporalio/workflow';
import type { AutoImportActivities } from './contracts/autoImport.ts';
import type { ConnectionActivities } from './contracts/connection.ts';
import type { DiscoveryActivities } from './contracts/discovery.ts';
import type { EstimateActivities, EstimateQuestions } from './contracts/estimates.ts';
import type { ImportActivities } from './contracts/imports.ts';
import type { IntegrationActivities } from './contracts/integration.ts';
import type { PollActivities, PollQuestions } from './contracts/polls.ts';
import type { QuarantineActivities } from './contracts/quarantine.ts';
import type { StreamActivities } from './contracts/streams.ts';
import type { SyncActivities } from './contracts/syncs.ts';
import type { TellingActivities } from './contracts/telling.ts';
import type { WebhookActivities, WebhookRowActivities } from './contracts/webhooks.ts';
import type { VanishedActivities } from './contracts/vanished.ts';
import type { PurgeActivities, RemovalActivities } from './contracts/removal.ts';
import { bitbucketQueue } from './taskQueues.ts';

/**
 * How each kind of activity is tried. Retries add no history events, so patience is free; what must not be
 * tried again says so by its error (`activities/castErrors.ts`).
 */

const patient = { initialInterval: '1 second', backoffCoefficient: 2, maximumInterval: '5 minutes' } as const;

// Heartbeats every 2 s; a worker that dies is noticed after 10 s (measured in F01: 88 % of the progress survives).
const HEARTBEAT = '10 seconds';
// What is too short for heartbeats: its worker counts as lost after as long.
const SHORT = HEARTBEAT;

/**
 * A worker that was lost is replaced at once, however often that happens; the wait after an error grows with the
 * attempts and comes with the error (`activities/castErrors.ts`).
 */
const atOnce = { initialInterval: '1 second', backoffCoefficient: 1 } as const;

const onBitbucket = () => ({ taskQueue: bitbucketQueue(workflowInfo().taskQueue) });

type LongRemoval = 'endRuns' | 'handOverRepositories' | 'countRows' | 'purgeDeliveries';

/** One short transaction in Postgres. Comes back quickly when Postgres does, or when its worker was lost. */
export const rows = () =>
  proxyActivities<
    IntegrationActivities &
      ImportActivities &
      EstimateActivities &
      SyncActivities &
      Omit<PollActivities, 'syncEach'> &
      WebhookRowActivities &
      VanishedActivities &
      Pick<QuarantineActivities, 'finishQuarantineRetry'> &
      Omit<RemovalActivities, LongRemoval>
  >({
    startToCloseTimeout: SHORT,
    retry: { ...patient, initialInterval: '200 milliseconds', maximumInterval: '10 seconds' },
  });

/**
 * The same in the worker that has the workflow's task: no queue, one event instead of three and no task more. For what
 * each of thousands of small repositories does. One try: see `soon`.
 */
export const rowsHere = () =>
  proxyLocalActivities<Pick<ImportActivities, 'beginRepository' | 'finishRepository'> & SyncActivities>({
    startToCloseTimeout: SHORT,
    retry: { maximumAttempts: 1 },
  });

/** Here and now; where that fails (Postgres is away), patiently over the queue, which fills no history with tries. */
export async function soon<Answer>(
  here: () => Promise<Answer>,
  queued: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await here();
  } catch (error) {
    if (isCancellation(error)) throw error;
    return queued();
  }
}

/** Turns a selection of up to 10,000 repositories into rows, or what rules take of them. */
export const manyRows = () =>
  proxyActivities<Pick<ImportActivities, 'prepareImport'> & AutoImportActivities>({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...patient, maximumInterval: '30 seconds' },
  });

/** Tells up to 500 repositories: a busy Temporal takes its time for each. */
export const manySignals = () =>
  proxyActivities<Pick<PollActivities, 'syncEach'> & TellingActivities>({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...patient, maximumInterval: '30 seconds' },
  });

/** Up to 2,000 records of the quarantine, in short transactions. */
export const quarantineChunk = () =>
  proxyActivities<Pick<QuarantineActivities, 'retryQuarantined'>>({
    startToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...patient, maximumInterval: '30 seconds' },
  });

/** A person waits for the answer: few tries, close together; then a finding says what is wrong. */
export const connectionCheckTries = () =>
  proxyActivities<Pick<ConnectionActivities, 'checkConnection' | 'probeCredential'>>({
    ...onBitbucket(),
    startToCloseTimeout: '2 minutes',
    scheduleToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { initialInterval: '500 milliseconds', backoffCoefficient: 2, maximumAttempts: 3 },
  });

/** A code can be exchanged once. The activity knows by the flow's row whether it was, so it may run again. */
export const codeExchange = () =>
  proxyActivities<Pick<ConnectionActivities, 'exchangeOauthCode'>>({
    ...onBitbucket(),
    startToCloseTimeout: '1 minute',
    scheduleToCloseTimeout: '5 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { initialInterval: '1 second', backoffCoefficient: 2, maximumAttempts: 4 },
  });

/** Short rows of connection and discovery, which live on the bitbucket queue. */
export const bitbucketRows = () =>
  proxyActivities<
    Pick<ConnectionActivities, 'failCheck' | 'discardCheckSecret'> &
      Pick<DiscoveryActivities, 'finishDiscovery'>
  >({
    ...onBitbucket(),
    startToCloseTimeout: SHORT,
    retry: { ...patient, initialInterval: '200 milliseconds', maximumInterval: '10 seconds' },
  });

/** One bounded chunk (25 requests or 3 minutes), with room for waits of up to a minute inside. Never gives up. */
export const bitbucketChunk = () =>
  proxyActivities<
    Pick<StreamActivities, 'importChunk' | 'linkCommits'> &
      Pick<DiscoveryActivities, 'discoverChunk' | 'lookUpRepositories'> &
      PollQuestions &
      WebhookActivities
  >({
    ...onBitbucket(),
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: atOnce,
  });

/** A person waits for the answer, but an outage of minutes is borne: ten tries, the error brings the wait between them. */
export const estimateTries = () =>
  proxyActivities<EstimateQuestions>({
    ...onBitbucket(),
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...atOnce, maximumAttempts: 10 },
  });

/** The whole git work of one repository: a first clone may take hours; only its heartbeat is bounded. */
export const gitWork = () =>
  proxyActivities<Pick<StreamActivities, 'importGit' | 'importSmall'>>({
    ...onBitbucket(),
    startToCloseTimeout: '24 hours',
    heartbeatTimeout: HEARTBEAT,
    retry: atOnce,
  });

/** A removal goes on until it is done, whatever is away meanwhile. Chunks of two minutes, with room for a slow count. */
export const removalWork = () =>
  proxyActivities<Pick<RemovalActivities, LongRemoval>>({
    startToCloseTimeout: '30 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...patient, maximumInterval: '30 seconds' },
  });

/** On a worker that has clones on its disk. */
export const purgeChunk = () =>
  proxyActivities<PurgeActivities>({
    ...onBitbucket(),
    startToCloseTimeout: '10 minutes',
    heartbeatTimeout: HEARTBEAT,
    retry: { ...patient, maximumInterval: '30 seconds' },
  });
