import { cancellationSignal, heartbeat } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import type { RepositorySource } from '../../db/queries/importProgress.ts';
import type { ChunkResult, StreamActivities } from '../../workflows/contracts/streams.ts';
import type { Finding, Stream } from '../../workflows/words.ts';
import { type Asker, askerOf } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { BitbucketError, CredentialUnusable, RateLimited } from '../bitbucket/errors.ts';
import { markStream, openStream, SwitchedOff, type ImportedStream } from './checkpoint.ts';
import { createAllowance, readStream, type Allowance, type ChunkLimits } from './chunk.ts';
import { answeredAt, createRounds, type LastRead } from './closing.ts';
import { expectedInAll, readSituation, type ChunkInput } from '../imports/importSituation.ts';
import { openReader } from './openReader.ts';
import { VANISHING_RULES } from '../presence/decideList.ts';
import { linkBehindCommits } from '../pullRequestCommits/linkBehindCommits.ts';
import { linkPullRequestCommits } from '../pullRequestCommits/linkPullRequestCommits.ts';
import { Replaced } from './replaced.ts';
import { type AskingByUuid, isShown } from '../discovery/storeByUuid.ts';
import { isOfTracker, mayPassAtOnce, refusedWith, saysNoTracker, stateAfter } from './streamErrors.ts';
import { workflowId } from '../workflowId.ts';

export interface StreamActivitiesOptions {
  database: Database;
  bitbucket: BitbucketClient;
  limits?: Partial<ChunkLimits>;
  /** milliseconds; an answer, or the page behind it, that takes longer sends no more heartbeats, so that Temporal gives up on this attempt */
  pageDeadlineMs?: number;
  heartbeatMs?: number;
  /** two lists that agree on which branches and tags are gone must be so far apart; default: `VANISHING_RULES` */
  goneAfterMs?: number;
}

/** One bounded chunk (design section 6): whichever of the three is met first ends it. */
const LIMITS: ChunkLimits = { requests: 25, rows: 5_000, milliseconds: 180_000 };

// The client's own deadline is 60 s a request; behind it stand a short wait for the limit and the page's transaction.
const PAGE_DEADLINE_MS = 90_000;
const HEARTBEAT_MS = 2_000;

type LinkInput = Parameters<StreamActivities['linkCommits']>[0];

/**
 * The activity that reads everything that comes over the API: pull requests, tickets, and commits where git is not
 * wanted. And the one that links pull requests to commits, where both were read at once.
 */
export function createStreamActivities(
  options: StreamActivitiesOptions,
): Pick<StreamActivities, 'importChunk' | 'linkCommits'> {
  const { database, bitbucket, pageDeadlineMs = PAGE_DEADLINE_MS, heartbeatMs = HEARTBEAT_MS } = options;
  const { goneAfterMs = VANISHING_RULES.goneAfterMs } = options;
  const limits = { ...LIMITS, ...options.limits };

  /**
   * Reads the streams asked for, in order, each from its checkpoint, until all are at their end or the chunk is full;
   * behind the last, unless it all was quick, again what changed meanwhile (`closing.ts`).
   * A stream whose service was switched off is left out. A limit ends it with `limited`; a tracker that the host does not
   * have, or has no more, makes its streams `unavailable`, and the rest goes on; as it does behind a service that the
   * credential or its account may not read (any more), which is thrown at the end. An answer that did not come, or came
   * wrong, ends it at the page before, where there is one; where there is none it throws, so that only failures without
   * any progress between them count as attempts.
   * Throws typed errors with a finding (Replaced too); a stream that fails for good is marked so before.
   */
  async function importChunk(input: ChunkInput): Promise<ChunkResult> {
    const signal = cancellationSignal();
    const allowance = createAllowance({ ...limits, requests: input.requests ?? limits.requests }, () =>
      performance.now(),
    );
    return withPulse((onProgress) => {
      const chunk: Chunk = {
        input,
        allowance,
        signal,
        onAnswer: onProgress,
        onPage: () => {
          onProgress();
          chunk.hasProgressed = true;
        },
        hasProgressed: false,
        latestAnswerAt: null,
      };
      return readUnderItsName(chunk);
    });
  }

  /** Heartbeats as long as answers and pages come within the deadline. */
  async function withPulse<T>(work: (onProgress: () => void) => Promise<T>): Promise<T> {
    let last = performance.now();
    const beat = (): void => {
      if (performance.now() - last < pageDeadlineMs) heartbeat();
    };
    beat();
    const timer = setInterval(beat, heartbeatMs);
    try {
      return await work(() => {
        last = performance.now();
      });
    } finally {
      clearInterval(timer);
    }
  }

  interface Chunk {
    input: ChunkInput;
    allowance: Allowance;
    signal: AbortSignal;
    onAnswer: () => void;
    onPage: () => void;
    /** this attempt has stored a page */
    hasProgressed: boolean;
    /** by the source's clock; null: this attempt had no answer yet */
    latestAnswerAt: string | null;
  }

  /** Where another repository has its name by now, it is asked for by its uuid, and read under the name that it has. */
  async function readUnderItsName(chunk: Chunk): Promise<ChunkResult> {
    try {
      return await readStreams(chunk);
    } catch (error) {
      if (!(error instanceof Replaced)) throw error;
      const { source } = await readSituation(database, chunk.input);
      chunk.allowance.requests += 1;
      try {
        if (!(await isShown(askingFor(chunk, source), source.providerUuid))) throw error;
      } catch (otherwise) {
        if (!(otherwise instanceof RateLimited)) throw otherwise;
        const limited = { until: otherwise.until, why: otherwise.why };
        const { requests, records } = chunk.allowance;
        return { done: false, stream: null, requests, records, limited };
      }
      return readStreams(chunk);
    }
  }

  function askingFor({ input, signal }: Chunk, source: RepositorySource): AskingByUuid {
    const { organizationId, integrationId, importId } = input;
    const credential = { organizationId, credentialId: credentialOf(source) };
    const request = { credential, signal, asker: askerOf(source.kind, importId, workflowId()) };
    return { database, client: bitbucket, integration: { organizationId, integrationId }, request };
  }

  async function readStreams(chunk: Chunk): Promise<ChunkResult> {
    const { input, allowance, signal, onPage } = chunk;
    const situation = await readSituation(database, input);
    const { source } = situation;
    const asker = askerOf(source.kind, input.importId, workflowId());
    let { trackerGone } = situation;
    const rounds = createRounds(situation.stands);
    let refused: unknown;
    const result = async (more: Partial<ChunkResult>): Promise<ChunkResult> => ({
      done: false,
      stream: null,
      requests: allowance.requests,
      records: allowance.records,
      expected: await expectedInAll(database, input),
      ...more,
    });
    for (;;) {
      const stream = rounds.next();
      if (stream === undefined) {
        if (refused !== undefined) throw refused;
        const requests = situation.requests + allowance.requests;
        if (rounds.begin({ requests, latestAnswerAt: chunk.latestAnswerAt })) continue;
        if (input.streams.includes('pull_requests')) {
          if (input.linksLater !== true) await link(input, signal, onPage);
        } else if (input.streams.includes('commits')) {
          await linkBehindCommits({ database, scope: input, signal, onProgress: onPage });
        }
        return result({ done: true });
      }
      const missing = isOfTracker(stream) ? (trackerGone ?? noTracker(stream, source)) : undefined;
      try {
        if (missing === undefined) {
          const last = await readOne(chunk, stream, { source, asker });
          if (last === undefined) return await result({ stream });
          rounds.ended(stream, last);
        } else {
          await skip(input, stream, missing);
          rounds.leave(stream);
        }
      } catch (error) {
        if (error instanceof RateLimited) {
          return await result({ stream, limited: { until: error.until, why: error.why } });
        }
        if (error instanceof SwitchedOff) {
          rounds.leave(stream);
          continue;
        }
        const closed = refusedWith(stream, error);
        if (closed.length > 0) {
          refused ??= error;
          for (const one of closed) rounds.leave(one);
          continue;
        }
        if (chunk.hasProgressed && mayPassAtOnce(error)) return await result({ stream });
        if (!(error instanceof BitbucketError) || !saysNoTracker(stream, error)) throw error;
        trackerGone = error.finding;
        rounds.leave(stream);
      }
    }
  }

  /** Behind all streams: what links them. Gives how many links were added. */
  function link(scope: LinkInput, signal: AbortSignal, onProgress: () => void): Promise<number> {
    return linkPullRequestCommits({ database, scope, all: scope.mode === 'full', signal, onProgress });
  }

  async function linkCommits(input: LinkInput): Promise<ChunkResult> {
    await withPulse((onProgress) => link(input, cancellationSignal(), onProgress));
    return { done: true, stream: null, requests: 0, records: 0 };
  }

  /** Reads one stream on; undefined: it is not at its end. Marks in which state an error leaves it. */
  async function readOne(
    chunk: Chunk,
    name: Stream,
    { source, asker }: { source: RepositorySource; asker: Asker },
  ): Promise<LastRead | undefined> {
    const { input, allowance, signal, onPage } = chunk;
    const stream = streamOf(input, name);
    const { checkpoint, closing, hasQuarantined, reader } = await openReader(database, {
      input,
      stream,
      source,
      goneAfterMs,
    });
    const credential = { organizationId: input.organizationId, credentialId: credentialOf(source) };
    try {
      return await readStream({
        database,
        source,
        stream,
        checkpoint,
        reader,
        closing,
        hasQuarantined,
        allowance,
        signal,
        get: async (place) => {
          const answer = await bitbucket.get({ credential, signal, asker, ...place });
          chunk.latestAnswerAt = answeredAt(answer);
          // An empty list is asked for several times within one page.
          chunk.onAnswer();
          return answer;
        },
        onPage,
      });
    } catch (error) {
      const change = stateAfter(name, error);
      if (change !== undefined) {
        const { epoch } = checkpoint;
        await database.transaction(input.organizationId, (tx) =>
          markStream(tx, { ...stream, epoch }, change),
        );
      }
      throw error;
    }
  }

  async function skip(input: ChunkInput, name: Stream, finding: Finding): Promise<void> {
    const stream = streamOf(input, name);
    const { epoch } = await openStream(database, stream);
    await database.transaction(input.organizationId, (tx) =>
      markStream(tx, { ...stream, epoch }, { state: 'unavailable', error: finding }),
    );
  }

  return { importChunk, linkCommits };
}

const streamOf = (input: ChunkInput, stream: Stream): ImportedStream => ({
  organizationId: input.organizationId,
  repositoryId: input.repositoryId,
  importId: input.importId,
  stream,
});

const noTracker = (stream: Stream, source: RepositorySource): Finding | undefined =>
  source.hasIssues === false && isOfTracker(stream)
    ? {
        code: 'no_issue_tracker',
        message: `${source.fullName} has no issue tracker.`,
        remedy: 'Nothing to do. Turn the tracker on in the repository settings to import its tickets.',
      }
    : undefined;

function credentialOf({ credentialId }: RepositorySource): string {
  if (credentialId !== null) return credentialId;
  throw new CredentialUnusable({
    finding: {
      code: 'no_credential',
      message: 'The integration has no credential at present.',
      remedy: 'Submit a new one: the import then goes on from its checkpoints.',
    },
  });
}
