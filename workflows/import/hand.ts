import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  getExternalWorkflowHandle,
  isCancellation,
  log,
  ParentClosePolicy,
  startChild,
  type SignalDefinition,
} from '@temporalio/workflow';
import { summary } from '../details.ts';
import { REPOSITORY_RUN_LOST } from '../findings.ts';
import { importRepositoryWorkflowId } from '../ids.ts';
import { joinRepository } from '../messages.ts';
import { importRepository } from '../importRepository.ts';
import type { ImportRepositoriesInput, InHand, PauseReason } from '../inputs.ts';
import { rows } from '../policies.ts';
import { priorityOf } from '../priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID } from '../searchAttributes.ts';

/** A run that is there may end before it can be joined; who meets that so often looks again later. */
const TRIES = 5;

/** The repositories that an import has in hand: runs it started, or joined because another import's was there. */
export interface Hand {
  readonly size: number;
  list(): InHand[];
  take(repository: { repositoryId: string; fullName: string }): Promise<void>;
  /** Whether the run of a repository works for this import now, or for another that wants it too. */
  owns(repositoryId: string, yours: boolean): void;
  /** Says that a run has written the outcome of a repository; one that is not in hand any more says nothing new. */
  finished(repositoryId: string, run: string | undefined): void;
  /** Whether there are outcomes that `settle` has not dealt with yet. */
  hasNews(): boolean;
  /** Lets go of what is finished, and says which; a run that broke off leaves a failed repository, not a hanging import. */
  settle(): Promise<string[]>;
  /** Reads the rows again: finds lost signals, and starts what an operator terminated. */
  lookAgain(): Promise<void>;
  /** Says again that the import wants them, so that their ends are told to the run that comes behind this one. */
  joinAgain(): Promise<void>;
  tell<Args extends [unknown]>(signal: SignalDefinition<Args>, message: Args[0]): Promise<void>;
}

/** `paused`: what runs are told now; one that begins later is told at its start. */
export function createHand(input: ImportRepositoriesInput, paused: () => PauseReason | null): Hand {
  const { organizationId, integrationId, importId } = input;
  const held = new Map<string, InHand>();
  for (const one of input.carried?.inHand ?? []) held.set(one.repositoryId, one);
  const done = new Set<string>();
  const broken = new Set<string>();
  // joined, so that nobody knows whether the word is of the run that is there now: the row decides
  const doubtful = new Set<string>();

  async function take({ repositoryId, fullName }: { repositoryId: string; fullName: string }): Promise<void> {
    const one = { repositoryId, fullName, joined: false };
    for (let tries = 0; tries < TRIES; tries += 1) {
      if (await startOwn(one)) return;
      held.set(repositoryId, { ...one, joined: true });
      await rows().joinRepository.executeWithOptions(
        { summary: summary(`${fullName} is being imported already: waits for that run`) },
        [{ organizationId, integrationId, importId, repositoryId }],
      );
      if (await join(repositoryId)) return;
    }
  }

  /** False: the run that is there has ended at this moment, so that one can be started. */
  async function join(repositoryId: string): Promise<boolean> {
    try {
      const handle = getExternalWorkflowHandle(importRepositoryWorkflowId(repositoryId));
      await handle.signal(joinRepository, { importId, integrationId, paused: paused() });
      return true;
    } catch (error) {
      if (isCancellation(error)) throw error;
      return false;
    }
  }

  /** False: a run is there already, whichever import started it. */
  async function startOwn(one: InHand): Promise<boolean> {
    const { repositoryId, fullName } = one;
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
            paused: paused(),
            quiet: true,
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
      const run = handle.firstExecutionRunId;
      held.set(repositoryId, { ...one, run });
      const isThere = () => held.get(repositoryId)?.run === run;
      void handle.result().then(
        () => isThere() && done.add(repositoryId),
        () => isThere() && broken.add(repositoryId),
      );
      return true;
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return false;
      throw error;
    }
  }

  async function look(repositoryIds: string[]): Promise<void> {
    if (repositoryIds.length === 0) return;
    const { finished, lost } = await rows().repositoryOutcomes.executeWithOptions(
      { summary: `look at ${repositoryIds.length} repositories in hand` },
      [{ organizationId, importId, repositoryIds }],
    );
    for (const repositoryId of finished) done.add(repositoryId);
    for (const repositoryId of lost) {
      const one = held.get(repositoryId);
      if (one !== undefined && !done.has(repositoryId) && !broken.has(repositoryId)) await take(one);
    }
  }

  async function tell<Args extends [unknown]>(
    signal: SignalDefinition<Args>,
    message: Args[0],
  ): Promise<void> {
    await Promise.all(
      [...held.keys()].map(async (repositoryId) => {
        try {
          const handle = getExternalWorkflowHandle(importRepositoryWorkflowId(repositoryId));
          await handle.signal<[unknown]>(signal, message);
        } catch (error) {
          // It ended at this moment: its row says how.
          log.debug('A repository run could not be told', { repositoryId, error });
        }
      }),
    );
  }

  return {
    get size() {
      return held.size;
    },
    list: () => [...held.values()],
    take,
    finished(repositoryId, run) {
      const one = held.get(repositoryId);
      if (run === undefined || one?.run === run) done.add(repositoryId);
      else if (one !== undefined && one.run === undefined) doubtful.add(repositoryId);
    },
    hasNews: () => done.size > 0 || broken.size > 0 || doubtful.size > 0,

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
      if (doubtful.size > 0) {
        const asked = [...doubtful].filter((repositoryId) => held.has(repositoryId));
        doubtful.clear();
        await look(asked);
      }
      const settled = [...done].filter((repositoryId) => held.delete(repositoryId));
      done.clear();
      return settled;
    },

    lookAgain: () => look([...held.keys()]),

    owns(repositoryId, yours) {
      const one = held.get(repositoryId);
      if (one !== undefined) held.set(repositoryId, { ...one, joined: !yours });
    },

    joinAgain: () => tell(joinRepository, { importId, integrationId, paused: paused() }),
    tell,
  };
}
