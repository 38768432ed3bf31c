import type { Finding } from '../words.ts';
import type { OfIntegration } from './tenant.ts';
import type { Limited } from './waiting.ts';

/** Rows of poll rounds, and their schedule. Queue: ingestion. */
export interface PollActivities {
  /**
   * Begins a round. `due: false`: the integration fetches nothing at present, has nothing to keep current, or the
   * allowance is too small for a round already; `atOnce` passes over the last. `discover`: a discovery is due too.
   * `keepWebhooks`: their run was lost. `run`: of the workflow that asks; one that asks again, since the answer was lost, is
   * given the round that it began.
   */
  beginPoll(
    input: OfIntegration & { atOnce: boolean; run?: string },
  ): Promise<
    ({ due: true; place: string } | { due: false; why: string }) & { discover?: true; keepWebhooks?: true }
  >;
  /**
   * Writes how the round went, and how long the next one has to wait for it. `null`: it told every repository and asked for
   * nothing, so what is known of the last one that asked stays.
   */
  finishPoll(
    input: OfIntegration & { requests: number | null; found: number | null; error: Finding | null },
  ): Promise<void>;
  /** Tells the next imported repositories behind `after` to bring themselves up to date. `after: null`: those were the last. */
  syncEach(input: OfIntegration & { after: string | null }): Promise<{ after: string | null; told: number }>;
  /** Sees to it that the integration's schedule of rounds is there, and runs (`active`) or rests. Repeatable. */
  schedulePolls(input: OfIntegration & { name: string | null; active: boolean }): Promise<void>;
}

/** Queue: bitbucket. */
export interface PollQuestions {
  /**
   * Asks Bitbucket what changed, from `place`, in bounded chunks; tells the syncs of what it finds. `stopped`: the
   * integration fetches nothing any more, so the round ends here and has not asked all.
   */
  pollChunk(
    input: OfIntegration & { place: string },
  ): Promise<{ place: string | null; requests: number; found: number; limited?: Limited; stopped?: Finding }>;
}
