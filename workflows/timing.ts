import type { IntegrationTiming } from './messages.ts';

const MINUTE_MS = 60_000;

/**
 * A run has at most so many events, unless its input says otherwise, and continues as new (`longHistory.ts`): replaying them
 * takes about a second (the server's limit is 51,200).
 */
export const HISTORY_LIMIT = 2_000;

/** Runs that were asked to end stop at their checkpoints within seconds; what has not ended then is terminated. */
export const REMOVAL_GRACE_MS = 30_000;

/** How long the integration waits for what, unless its input says otherwise. */
export const INTEGRATION_TIMING: IntegrationTiming = {
  draftMs: 7 * 24 * 60 * MINUTE_MS,
  // Brownouts answer 401 for 15 minutes and more: three refusals over 20 minutes tell a dead credential from one.
  probeEveryMs: 10 * MINUTE_MS,
  confirmMs: 20 * MINUTE_MS,
  graceMs: REMOVAL_GRACE_MS,
  historyLimit: HISTORY_LIMIT,
};

/** How an import walks; tests give shorter waits. */
export interface ImportTiming {
  /** repositories in hand at once: the request limit is the fence, not this */
  fanOut: number;
  /** how often totals are rolled up while nothing else happens */
  rollUpEveryMs: number;
  /** how often the rows of the repositories in hand are read again, for lost signals and terminated runs */
  lookAgainEveryMs: number;
  /**
   * How long a repository waits before it tries a refused credential again, should nobody tell it to go on. Longer than
   * the integration takes to be sure (`confirmMs`): meanwhile its one probe asks for all.
   */
  refusedEveryMs: number;
  /** how many events a run has at most */
  historyLimit: number;
}

export const IMPORT_TIMING: ImportTiming = {
  fanOut: 16,
  rollUpEveryMs: 30_000,
  lookAgainEveryMs: 2 * MINUTE_MS,
  refusedEveryMs: 30 * MINUTE_MS,
  historyLimit: HISTORY_LIMIT,
};

/** How a sync waits; tests give shorter waits. */
export interface SyncTiming {
  /** how long an import that reads the repository is left alone before it is looked at again: at first, and at most */
  busyMs: number;
  mostBusyMs: number;
  /** how long a repository is parked after its first failure, and at most: the wait doubles with each further one */
  firstParkedMs: number;
  mostParkedMs: number;
  /** how many events a run has at most */
  historyLimit: number;
}

export const SYNC_TIMING: SyncTiming = {
  busyMs: 10_000,
  mostBusyMs: 5 * MINUTE_MS,
  firstParkedMs: 5 * MINUTE_MS,
  mostParkedMs: 12 * 60 * MINUTE_MS,
  historyLimit: HISTORY_LIMIT,
};

/** How often webhooks are looked after. */
export interface WebhookTiming {
  /** between the end of a round and the begin of the next, at most; the spread makes it up to a tenth shorter */
  everyMs: number;
  historyLimit: number;
}

export const WEBHOOK_TIMING: WebhookTiming = {
  // What happened to a hook at Bitbucket is found within the hour, the round itself included.
  everyMs: 50 * MINUTE_MS,
  historyLimit: HISTORY_LIMIT,
};
