import type {
  CommitSource,
  CredentialKind,
  EstimateState,
  Finding,
  ImportCommand,
  ImportMode,
  ImportRepositoryState,
  ImportState,
  IntegrationState,
  Service,
  Stream,
  Verdict,
  WebhookUpkeepState,
} from './words.ts';
import type { ImportControl, PauseReason } from './inputs.ts';
import type { Actor } from './messages.ts';

/**
 * What activities take and give: ids and counters only, never rows, never secrets.
 * Workflows know the activities by these types alone.
 */

export interface Tenant {
  organizationId: string;
}
export interface OfIntegration extends Tenant {
  integrationId: string;
}
export interface OfRepository extends OfIntegration {
  repositoryId: string;
}

/** Rows of the integration, written by the entity workflow. Queue: ingestion. */
export interface IntegrationActivities {
  /**
   * Compare-and-set of the row's version; applying the same change twice answers as the first time did. From the moment
   * in which a service is off, nothing of it is written any more: the epochs of its streams are raised.
   * Throws `name_taken` (non-retryable) when the name is in use in the organization.
   */
  saveIntegration(
    input: OfIntegration & {
      expectedVersion: number;
      change: {
        state?: IntegrationState;
        name?: string;
        services?: Service[];
        allowedServices?: Service[];
        reason?: Finding | null;
        /** ISO time; null once created */
        draftExpiresAt?: string | null;
        commitSource?: CommitSource;
      };
      /** `details`: in place of the change itself */
      audit?: { action: string; actor: Actor; details?: Record<string, unknown> };
    },
  ): Promise<{ version: number }>;
  /**
   * Stores the import by which services that were off catch up: of what changed, over the repositories that are imported
   * already. False: there is none. Repeatable.
   */
  storeCatchUp(
    input: OfIntegration & { importId: string; services: Service[]; actor: Actor },
  ): Promise<{ stored: boolean }>;
  /** Reads the row again (start of a run, after a lost answer). `null`: the integration is gone. */
  loadIntegration(input: OfIntegration): Promise<{
    state: IntegrationState;
    version: number;
    name: string | null;
    services: Service[];
    allowedServices: Service[];
    credentialKind: CredentialKind | null;
    draftExpiresAt: string | null;
    commitSource?: CommitSource;
    accountName: string | null;
    /** imports that have not ended */
    runningImportIds: string[];
  } | null>;
  /** Syncs that have not ended: each is a run of `importRepository` for an import of its own. */
  runningSyncs(input: OfIntegration): Promise<{ syncs: { importId: string; repositoryId: string }[] }>;
  /** The outcome of a check by its row. `reason`: the finding that made it fail. A row that is gone counts as failed. */
  checkOutcome(input: OfIntegration & { checkId: string }): Promise<{
    done: boolean;
    verdict: Verdict | null;
    allowedServices: Service[];
    reason: Finding | null;
  }>;
  /**
   * Makes a checked credential the one that signs, shreds the one it replaces.
   * `credentialId: null`: the candidate that the OAuth exchange stored. `otherAccount`: it belongs to another account than
   * the one before.
   */
  adoptCredential(
    input: OfIntegration & { credentialId: string | null; checkId: string },
  ): Promise<{ otherAccount: boolean }>;
  /** Shreds a candidate that failed its check, and says why; never the credential that signs. */
  discardCredential(input: OfIntegration & { credentialId: string | null; reason?: Finding }): Promise<void>;
  /** Shreds secrets and removes the draft's rows. `actor: null`: nobody asked, it expired. */
  removeDraft(input: OfIntegration & { actor: Actor | null }): Promise<void>;
}

/** Queue: bitbucket. */
export interface ConnectionActivities {
  /** Exchanges the sealed OAuth code once; stores the tokens sealed as a candidate credential. A denied or spent code is a finding. */
  exchangeOauthCode(
    input: OfIntegration & { oauthFlowId: string; checkId: string },
  ): Promise<{ credentialId: string } | { finding: Finding }>;
  /** Runs the whole connection check and stores its report in the check's row. */
  checkConnection(
    input: Tenant & { integrationId: string | null; checkId: string; credentialId: string },
  ): Promise<{ verdict: Verdict; allowedServices: Service[] }>;
  /** Ends a check that cannot run, with a finding as its report. */
  failCheck(input: Tenant & { checkId: string; finding: Finding }): Promise<void>;
  /** Removes the secret that a check outside an integration waited with. */
  discardCheckSecret(input: Tenant & { checkId: string }): Promise<void>;
  /** One cheap signed request: does the host still take the credential? */
  probeCredential(input: OfIntegration): Promise<{ accepted: boolean }>;
}

/** A chunk that met a limit says when to go on; the workflow sleeps on a named timer. */
export interface Limited {
  /** ISO time */
  until: string;
  why: string;
}

/** Why something does not go on; `until`: where a time is known, ISO. */
export interface Waiting {
  until: string | null;
  why: string;
}

/** Queue: bitbucket. Workspaces, projects and repositories, in bounded chunks that carry their place. */
export interface DiscoveryActivities {
  discoverChunk(input: OfIntegration & { cursor: string | null }): Promise<{
    cursor: string | null;
    workspaces: number;
    projects: number;
    repositories: number;
    limited?: Limited;
  }>;
  /**
   * Discovers repositories by their uuids at Bitbucket, one request each; `left`: those that a limit kept it from. One that
   * the credential does not see is passed over.
   */
  lookUpRepositories(
    input: OfIntegration & { uuids: string[] },
  ): Promise<{ left: string[]; found: number; limited?: Limited }>;
  finishDiscovery(input: OfIntegration & { outcome: 'done' | 'failed'; error?: Finding }): Promise<void>;
}

/** Rows of imports. Queue: ingestion. */
export interface ImportActivities {
  /**
   * Turns the selection into one row a repository (idempotent) and marks the import running. For a run that takes the
   * place of a lost one: what people and the integration want of the import, and how it ended if it has.
   */
  prepareImport(input: OfIntegration & { importId: string }): Promise<{
    total: number;
    title: string;
    control: ImportControl;
    /** left out: it has not ended */
    ended?: ImportState;
    /** repositories whose runs a lost run of the import left behind: they go on, and know of nothing said since */
    begun?: { repositoryId: string; fullName: string }[];
  }>;
  /** The next repositories that have not ended, in order; those in hand are left out. */
  nextRepositories(
    input: Tenant & { importId: string; limit: number; inHand: string[] },
  ): Promise<{ repositories: { repositoryId: string; fullName: string }[] }>;
  /**
   * What became of the repositories in hand (a lost signal is found here): `finished` by their row,
   * `lost` are those that neither finished nor have a running `importRepository` (an operator terminated it).
   */
  repositoryOutcomes(
    input: Tenant & { importId: string; repositoryIds: string[] },
  ): Promise<{ finished: string[]; lost: string[] }>;
  /** Counts by state, rolled up into the import's row. */
  rollUpImport(
    input: Tenant & { importId: string },
  ): Promise<
    { total: number; completed: number; failed: number; requests: number; records: number } & Outlook
  >;
  /** `running`: not all repositories have ended (some are to be tried again), so neither has the import. */
  finishImport(input: Tenant & { importId: string; cancelled: boolean }): Promise<{ state: ImportState }>;
  setImportState(
    input: Tenant & { importId: string; state: ImportState; waiting?: Waiting | null },
  ): Promise<void>;
  /**
   * Notes what a person wants of an import, with an event and an entry in the audit trail; the same again changes
   * nothing. `ended`: how the import has ended, so that nothing was noted.
   */
  controlImport(
    input: OfIntegration & { importId: string; command: ImportCommand; actor: Actor },
  ): Promise<{ ended: ImportState | null }>;
  /**
   * Makes failed repositories of the import pending again, and the import run again, with an event and an entry in the
   * audit trail. `commandId`: the same command tried again answers the same. `already`: what was asked for waits or runs.
   */
  retryRepositories(
    input: OfIntegration & {
      importId: string;
      repositoryIds: string[] | null;
      commandId: string;
      actor: Actor;
    },
  ): Promise<{ outcome: 'retried' | 'already' | 'nothing_failed' | 'cancelling' | 'cancelled' }>;
  /** Begins (or joins) the import of one repository: which streams, in which order. */
  beginRepository(input: OfRepository & { importId: string }): Promise<{
    fullName: string;
    mode: ImportMode;
    streams: Stream[];
    /** left out: git */
    commitSource?: CommitSource;
    /** the import has its outcome already: there is nothing to read */
    over?: true;
    /** its integration does not go on at this moment */
    paused?: Exclude<PauseReason, 'person'>;
    /** how often a person had it tried again */
    retries?: number;
    /** there is much of both: git and the API are read at the same time */
    sideBySide?: true;
    /** there is little of both: one activity reads git, then the API */
    small?: true;
  }>;
  /** The repository is being read for another import: its progress is that one's. */
  joinRepository(input: OfRepository & { importId: string }): Promise<void>;
  setRepositoryState(
    input: OfRepository & {
      importId: string;
      state: ImportRepositoryState;
      waiting?: Waiting | null;
      error?: Finding | null;
      /** other imports that wait for this run: their rows say the same */
      joined?: string[];
    },
  ): Promise<void>;
  /** Writes the outcome row (also for every other import that waits for this repository). */
  finishRepository(
    input: OfRepository & {
      importId: string;
      state: 'completed' | 'failed' | 'cancelled';
      error?: Finding;
      /** as `beginRepository` answered: a later try is not ended; left out: whichever try it is */
      retries?: number;
    },
  ): Promise<{
    /** the imports whose repository this ended: each is told by a signal */
    importIds: string[];
    /** what was written: a repository that was read to its end and does not add up has failed */
    state?: 'completed' | 'failed' | 'cancelled';
  }>;
}

/** Rows of syncs. Queue: ingestion. */
export interface SyncActivities {
  /**
   * Makes the rows of a sync, with what was missed while nothing was fetched (repeatable). `busy`: a run reads the
   * repository. `not_wanted`: there is nothing to bring up to date, or not now: then it is remembered as missed.
   */
  beginSync(
    input: OfRepository & { syncId: string; services: Service[] },
  ): Promise<
    { outcome: 'begun'; fullName: string } | { outcome: 'busy' } | { outcome: 'not_wanted'; why: string }
  >;
  /** Writes how the repository fares by the outcome of its sync. `parked`: after a failure, until then (ISO time). */
  finishSync(input: OfRepository & { syncId: string; firstParkedMs: number; mostParkedMs: number }): Promise<{
    state: 'completed' | 'failed' | 'cancelled';
    parked: { failures: number; until: string } | null;
  }>;
}

/** Rows of poll rounds, and their schedule. Queue: ingestion. */
export interface PollActivities {
  /**
   * Begins a round. `due: false`: the integration fetches nothing at present, has nothing to keep current, or the
   * allowance is too small for a round already; `atOnce` passes over the last. `discover`: a discovery is due too.
   */
  beginPoll(
    input: OfIntegration & { atOnce: boolean },
  ): Promise<({ due: true; place: string } | { due: false; why: string }) & { discover?: true }>;
  /** Writes how the round went, and how long the next one has to wait for it. */
  finishPoll(
    input: OfIntegration & { requests: number; found: number; error: Finding | null },
  ): Promise<void>;
  /** Tells the next imported repositories behind `after` to bring themselves up to date. `after: null`: those were the last. */
  syncEach(input: OfIntegration & { after: string | null }): Promise<{ after: string | null; told: number }>;
  /** Sees to it that the integration's schedule of rounds is there, and runs (`active`) or rests. Repeatable. */
  schedulePolls(input: OfIntegration & { name: string | null; active: boolean }): Promise<void>;
}

/** Queue: bitbucket. */
export interface PollQuestions {
  /** Asks Bitbucket what changed, from `place`, in bounded chunks; tells the syncs of what it finds. */
  pollChunk(
    input: OfIntegration & { place: string },
  ): Promise<{ place: string | null; requests: number; found: number; limited?: Limited }>;
}

interface OfEstimate extends OfIntegration {
  estimateId: string;
}

/** Rows of estimates. Queue: ingestion. */
export interface EstimateActivities {
  /** Chooses the repositories to ask about (idempotent) and marks the estimate running. */
  beginEstimate(input: OfEstimate): Promise<{ total: number; sampled: number; title: string }>;
  setEstimateState(
    input: OfEstimate & { state: 'running' | 'rate_limited'; waiting?: Limited | null },
  ): Promise<void>;
  /** Works the answer out of what was learned. `failed`: no repository could be asked about. */
  finishEstimate(input: OfEstimate): Promise<{ state: EstimateState; requests: number }>;
  failEstimate(input: OfEstimate & { finding: Finding }): Promise<void>;
}

/** Queue: bitbucket. */
export interface EstimateQuestions {
  /** Asks about the sampled repositories, at most three requests each, in bounded chunks. */
  estimateChunk(input: OfEstimate): Promise<{
    /** all are asked about */
    done: boolean;
    /** repositories asked about so far */
    asked: number;
    /** requests made so far */
    requests: number;
    limited?: Limited;
  }>;
}

/** For the operator: the same that the API shows. Left out where nothing is known. */
export interface Outlook {
  requestsLeft?: number | null;
  /** ISO time */
  estimatedEnd?: string | null;
}

export interface ChunkResult extends Outlook {
  /** every stream asked for is at its end */
  done: boolean;
  /** of a small repository: what git has is read; what is left is the API's */
  gitDone?: true;
  /** the stream in hand when the chunk ended, for the operator */
  stream: Stream | null;
  requests: number;
  records: number;
  /** records expected in all streams of this repository, where known so far: for the operator */
  expected?: number | null;
  /** records stored in all streams of this repository by this import, whichever attempt stored them */
  stored?: number;
  limited?: Limited;
}

/** The quarantine. Queue: ingestion; its records are in Postgres. */
export interface QuarantineActivities {
  /** Tries the next records of a retry again, from its place; `more`: there may be further ones. */
  retryQuarantined(
    input: OfIntegration & { retryId: string },
  ): Promise<{ more: boolean; tried: number; stored: number }>;
  finishQuarantineRetry(input: OfIntegration & { retryId: string; error: Finding | null }): Promise<void>;
}

/** Queue: bitbucket. */
export interface StreamActivities {
  /** refs and commits of one repository from git, in one activity (clone or fetch, then stream). */
  importGit(input: OfRepository & { importId: string; mode: ImportMode }): Promise<ChunkResult>;
  /**
   * One bounded chunk (25 requests, 3 minutes or 5,000 rows) over streams that are read from the API, from their
   * checkpoints: all of those that are asked for, refs and commits too.
   */
  importChunk(
    input: OfRepository & {
      importId: string;
      mode: ImportMode;
      streams: Stream[];
      /** git is read at the same time: pull requests are not linked to their commits at the end */
      linksLater?: true;
    },
  ): Promise<ChunkResult>;
  /** A small repository: `importGit`, then `importChunk` over these streams, which ends by the chunk's bounds. */
  importSmall(
    input: OfRepository & { importId: string; mode: ImportMode; streams: Stream[] },
  ): Promise<ChunkResult>;
  /** Links pull requests to their commits, once both are there. Repeatable. */
  linkCommits(input: OfRepository & { importId: string; mode: ImportMode }): Promise<ChunkResult>;
}

/** Webhooks at Bitbucket. Queue: bitbucket. */
export interface WebhookActivities {
  /**
   * The next of a round over the hooks that an integration shall have: registers those that are missing, mends those that
   * were changed, notes those that it may not have; or removes all, where none are wanted. In bounded chunks (25 steps of
   * about one request, or three minutes) that carry their place. Nothing is done while the integration does not work.
   */
  keepWebhooksChunk(input: OfIntegration & { cursor: string | null }): Promise<{
    cursor: string | null;
    /** the round is not over */
    more: boolean;
    /** none are wanted and none are left, or the integration is gone */
    off: boolean;
    /** steps that it took */
    steps: number;
    limited?: Limited;
  }>;
  /**
   * Removes hooks at Bitbucket and their rows for good: all of an integration, which registers none again, or that of one
   * repository (`repositoryId`). Whatever Bitbucket's refusal (lost rights, 404, a credential that is refused), nothing of
   * them is left here; `outOfReach` counts those that may remain there. Repeat while `left` is not 0.
   */
  removeWebhooks(input: OfIntegration & { repositoryId: string | null }): Promise<{
    left: number;
    removed: number;
    outOfReach: number;
    limited?: Limited;
  }>;
}

/** Rows of the upkeep of webhooks. Queue: ingestion. */
export interface WebhookRowActivities {
  /** Stores whether webhooks are wanted. The same `commandId` twice changes nothing, so a secret is rotated once. */
  commandWebhooks(
    input: OfIntegration & { wanted: boolean; rotate: boolean; commandId: string; actor: Actor },
  ): Promise<void>;
  setWebhookUpkeep(
    input: OfIntegration & {
      state: WebhookUpkeepState;
      /** a round begins; only that is written over `pending`: what was commanded is not done before */
      begins?: true;
      error?: Finding;
      waiting?: Limited;
      /** ISO time; a round has ended */
      nextRoundAt?: string;
    },
  ): Promise<void>;
}
