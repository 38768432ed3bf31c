import type {
  CommitSource,
  Finding,
  ImportCommand,
  ImportMode,
  ImportRepositoryState,
  ImportState,
  Stream,
} from '../words.ts';
import type { ImportControl, PauseReason } from '../inputs.ts';
import type { Actor } from '../messages.ts';
import type { Tenant, OfIntegration, OfRepository } from './tenant.ts';
import type { Waiting } from './waiting.ts';
import type { Outlook } from './streams.ts';

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
  /**
   * Writes the outcome row (also for every other import that waits for this repository). Nothing is written where it
   * would be `completed` without a service that was switched on since the streams were asked for.
   */
  finishRepository(
    input: OfRepository & {
      importId: string;
      state: 'completed' | 'failed' | 'cancelled';
      error?: Finding;
      /** as `beginRepository` answered: a later try is not ended; left out: whichever try it is */
      retries?: number;
      /** of an outcome `completed`: the streams that were read; left out: all that are wanted */
      read?: Stream[];
    },
  ): Promise<{
    /** the imports whose repository this ended: each is told by a signal */
    importIds: string[];
    /** the streams of that service: they are to be read first; left out: the outcome is written */
    unread?: Stream[];
    /** what was written: a repository that was read to its end and does not add up has failed */
    state?: 'completed' | 'failed' | 'cancelled';
    /** it was completed, and its syncs wait because one failed before */
    parked?: boolean;
  }>;
}
