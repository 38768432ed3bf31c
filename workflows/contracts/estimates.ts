import type { EstimateState, Finding } from '../words.ts';
import type { OfIntegration } from './tenant.ts';
import type { Limited } from './waiting.ts';

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
