import { setCurrentDetails, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import type { ChunkResult } from '../contracts/streams.ts';
import { repositoryDetails, summary } from '../details.ts';
import type { ImportRepositoryInput, RepositoryProgress } from '../inputs.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID, STAGE } from '../searchAttributes.ts';
import type { ImportRepositoryState, Stream } from '../words.ts';

/** What an operator sees of one repository's import: current details, summaries, the search attribute `Stage`. */
export interface Screen {
  readonly progress: RepositoryProgress;
  /** the stream in hand, as the last chunk said */
  readonly stream: Stream | null;
  working(stream: Stream): void;
  waiting(saying: string, until: string | null): void;
  stage(stage: ImportRepositoryState): void;
  count(result: ChunkResult): void;
  /** The line of an activity, e.g. `pull_requests · 1,200 records and 26 requests so far`. */
  summary(stream: Stream): string;
}

export function createScreen(input: ImportRepositoryInput): Screen {
  const progress: RepositoryProgress = {
    ...(input.carried?.progress ?? { records: 0, requests: 0, expected: null }),
  };
  let stream: Stream | null = null;
  let stored: string | null = null;

  const show = (doing: string, resumesAt: string | null): void =>
    setCurrentDetails(
      repositoryDetails({ fullName: input.fullName, doing, progress, resumesAt, nowMs: Date.now() }),
    );

  /** One event each, so only when it changes. */
  function setStage(stage: string): void {
    if (stage !== stored) upsertSearchAttributes([{ key: STAGE, value: stage }]);
    stored = stage;
  }

  // Whoever starts the run sets them; a run that goes on for another integration's import says so.
  if (workflowInfo().typedSearchAttributes.get(INTEGRATION_ID) !== input.integrationId) {
    upsertSearchAttributes([
      { key: ORGANIZATION_ID, value: input.organizationId },
      { key: INTEGRATION_ID, value: input.integrationId },
      { key: REPOSITORY_ID, value: input.repositoryId },
    ]);
  }
  show('begins', null);

  return {
    progress,
    get stream() {
      return stream;
    },
    working(next) {
      setStage(next);
      show(`reads ${next}`, null);
    },
    waiting: (saying, until) => show(saying, until),
    stage(stage) {
      setStage(stage);
      if (stage !== 'rate_limited' && stage !== 'needs_credential') show(stage, null);
    },
    count(result) {
      progress.records = result.stored ?? progress.records + result.records;
      progress.requests += result.requests;
      if (result.expected !== undefined) progress.expected = result.expected;
      progress.requestsLeft = result.requestsLeft ?? null;
      progress.estimatedEnd = result.estimatedEnd ?? null;
      stream = result.stream ?? stream;
    },
    summary: (next) =>
      summary(
        `${next} · ${progress.records.toLocaleString('en-US')} records and ` +
          `${progress.requests.toLocaleString('en-US')} requests so far`,
      ),
  };
}
