import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  log,
  ParentClosePolicy,
  startChild,
  type SignalDefinition,
} from '@temporalio/workflow';
import { summary } from '../details.ts';
import { REPOSITORY_RUN_LOST } from '../findings.ts';
import { importRepositoryWorkflowId } from '../ids.ts';
import { importRepository } from '../importRepository.ts';
import type { ImportRepositoriesInput, InHand } from '../inputs.ts';
import { rows } from '../policies.ts';
import { priorityOf } from '../priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID } from '../searchAttributes.ts';

/** The repositories that an import has in hand: runs it started, or joined because another import's was there. */
export interface Hand {
  readonly size: number;
  list(): InHand[];
  take(repository: { repositoryId: string; fullName: string }): Promise<void>;
  /** Says that the outcome of a repository is written. */
  finished(repositoryId: string): void;
  /** Whether there are outcomes that `settle` has not dealt with yet. */
  hasNews(): boolean;
  /** Lets go of what is finished; a run that broke off leaves a failed repository, not a hanging import. */
  settle(): Promise<number>;
  /** Reads the rows again: finds lost signals, and starts what an operator terminated. */
  lookAgain(): Promise<void>;
  tell<Args extends [unknown]>(
    signal: SignalDefinition<Args>,
    message: Args[0],
    to: 'own' | 'all',
  ): Promise<void>;
}

export function createHand(input: ImportRepositoriesInput): Hand {
  const { organizationId, integrationId, importId } = input;
  const held = new Map<string, InHand>();
  for (const one of input.carried?.inHand ?? []) held.set(one.repositoryId, one);
  const done = new Set<string>();
  const broken = new Set<string>();

  async function take({ repositoryId, fullName }: { repositoryId: string; fullName: string }): Promise<void> {
    const one = { repositoryId, fullName, joined: false };
    held.set(repositoryId, one);
    try {
      const handle = await startChild(importRepository, {
        workflowId: importRepositoryWorkflowId(repositoryId),
        args: [
          {
            organizationId,
            integrationId,
            importId,
            repositoryId,
            fullName,
            ...(input.timing === undefined ? {} : { timing: input.timing }),
          },
        ],
        // the only policy under which a child survives the parent's continue-as-new
        parentClosePolicy: ParentClosePolicy.ABANDON,
        priority: priorityOf('import', integrationId),
        staticSummary: summary(`Import ${fullName}`),
        typedSearchAttributes: [
          { key: ORGANIZATION_ID, value: organizationId },
          { key: INTEGRATION_ID, value: integrationId },
          { key: REPOSITORY_ID, value: repositoryId },
        ],
      });
      void handle.result().then(
        () => done.add(repositoryId),
        () => broken.add(repositoryId),
      );
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
      held.set(repositoryId, { ...one, joined: true });
      await rows().setRepositoryState.executeWithOptions(
        { summary: summary(`${fullName} is being imported already: waits for that run`) },
        [{ organizationId, integrationId, importId, repositoryId, state: 'running' }],
      );
    }
  }

  return {
    get size() {
      return held.size;
    },
    list: () => [...held.values()],
    take,
    finished: (repositoryId) => void done.add(repositoryId),
    hasNews: () => done.size > 0 || broken.size > 0,

    async settle() {
      for (const repositoryId of broken) {
        broken.delete(repositoryId);
        if (!held.has(repositoryId) || done.has(repositoryId)) continue;
        await rows().finishRepository.executeWithOptions({ summary: 'a repository run ended unexpectedly' }, [
          {
            organizationId,
            integrationId,
            importId,
            repositoryId,
            state: 'failed',
            error: REPOSITORY_RUN_LOST,
          },
        ]);
        done.add(repositoryId);
      }
      let settled = 0;
      for (const repositoryId of done) if (held.delete(repositoryId)) settled += 1;
      done.clear();
      return settled;
    },

    async lookAgain() {
      if (held.size === 0) return;
      const { finished, lost } = await rows().repositoryOutcomes.executeWithOptions(
        { summary: `look at ${held.size} repositories in hand` },
        [{ organizationId, importId, repositoryIds: [...held.keys()] }],
      );
      for (const repositoryId of finished) done.add(repositoryId);
      for (const repositoryId of lost) {
        const one = held.get(repositoryId);
        if (one !== undefined && !done.has(repositoryId) && !broken.has(repositoryId)) await take(one);
      }
    },

    async tell(signal, message, to) {
      const listeners = [...held.values()].filter(({ joined }) => to === 'all' || !joined);
      await Promise.all(
        listeners.map(async ({ repositoryId }) => {
          try {
            const handle = getExternalWorkflowHandle(importRepositoryWorkflowId(repositoryId));
            await handle.signal<[unknown]>(signal, message);
          } catch (error) {
            // It ended at this moment: its row says how.
            log.debug('A repository run could not be told', { repositoryId, error });
          }
        }),
      );
    },
  };
}
