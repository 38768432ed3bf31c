import { CancellationScope, isCancellation } from '@temporalio/workflow';
import type { ChunkResult } from '../contracts/streams.ts';
import type { OfRepository } from '../contracts/tenant.ts';
import { isLost, readFailure } from '../failures.ts';
import { isRefusal } from '../limits.ts';
import { bitbucketChunk, gitWork } from '../policies.ts';
import type { Part, Todo } from './parts.ts';
import type { Patience, Steering } from './patience.ts';
import type { Screen } from './screen.ts';

/** What the run of a repository has in hand: of each part one activity at most. */
export interface Chunks {
  /**
   * Reads on from the part's checkpoint. A limit is an answer; a refused credential is waited for. `null`: stopped at its
   * checkpoint, or behind such a wait; then something else is to be decided first. Throws what failed for good, and where
   * the run is to end.
   */
  read(part: Part, as: Pick<Todo, 'mode' | 'sideBySide'>): Promise<ChunkResult | null>;
  /** Stops what is in hand at its checkpoint. */
  rest(): void;
}

/** `work`: cancelled when the run is to end. */
export function createChunks(options: {
  ids: OfRepository & { integrationId: string; importId: string };
  work: CancellationScope;
  screen: Screen;
  steering: Steering;
  patience: Patience;
}): Chunks {
  const { ids, work, screen, steering, patience } = options;
  const inHand = new Set<CancellationScope>();

  function start(
    { kind, streams }: Part,
    { mode, sideBySide }: Pick<Todo, 'mode' | 'sideBySide'>,
    summary: string,
  ): Promise<ChunkResult> {
    const asked = { ...ids, mode };
    const later = sideBySide === true ? { linksLater: sideBySide } : {};
    switch (kind) {
      case 'git':
        return gitWork().importGit.executeWithOptions({ summary }, [asked]);
      case 'small':
        return gitWork().importSmall.executeWithOptions({ summary }, [{ ...asked, streams }]);
      case 'links':
        return bitbucketChunk().linkCommits.executeWithOptions({ summary }, [asked]);
      case 'api':
        return bitbucketChunk().importChunk.executeWithOptions({ summary }, [
          { ...asked, streams, ...later },
        ]);
    }
  }

  return {
    async read(part, as) {
      const { kind, streams } = part;
      const stage =
        kind === 'git' || kind === 'small'
          ? 'commits'
          : (streams.find((stream) => stream === screen.stream) ?? streams[0] ?? null);
      screen.working(stage ?? 'commits');
      const scope = new CancellationScope();
      const heard = steering.messages;
      inHand.add(scope);
      try {
        return await scope.run(() => start(part, as, screen.summary(stage ?? 'commits')));
      } catch (error) {
        // A pause stopped it, even if a resume came right behind: only `work` ends with the import itself. Where its worker
        // was lost meanwhile, what was to be stopped is tried no more, and ends as lost.
        const isStopped = isCancellation(error) || (isLost(error) && scope.consideredCancelled);
        if (isStopped && !work.consideredCancelled) return null;
        const { type, finding, limited } = readFailure(error);
        if (limited !== null) return { done: false, stream: stage, requests: 0, records: 0, limited };
        if (!isRefusal(type)) throw error;
        await patience.forCredential(heard, finding);
        return null;
      } finally {
        inHand.delete(scope);
      }
    },

    rest() {
      for (const scope of inHand) scope.cancel();
    },
  };
}
