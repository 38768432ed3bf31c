import {
  ActivityFailure,
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import type { ImportActivities } from './contracts/imports.ts';
import { isLost, readFailure } from './failures.ts';
import { importWorkflowId } from './ids.ts';
import { createChunks } from './import/chunks.ts';
import { createCrowd } from './import/crowd.ts';
import { openParts, type Part, takeUp } from './import/parts.ts';
import { createPatience, heirOf, type Steering } from './import/patience.ts';
import { createScreen } from './import/screen.ts';
import { tell } from './import/tell.ts';
import type { ImportRepositoryInput } from './inputs.ts';
import { isLongHistory } from './longHistory.ts';
import { allowanceFreed, repositoryFinished, servicesChanged, setPaused, stopImport } from './messages.ts';
import { rows, rowsHere, soon } from './policies.ts';
import { IMPORT_TIMING } from './timing.ts';
import { wakeParked } from './wakeParked.ts';
import type { Finding, Stream } from './words.ts';

type Outcome = { state: 'completed' | 'failed' | 'cancelled'; error?: Finding };

/**
 * Brings in one repository. Id: `repository/{repositoryId}/import`: one at a time, whichever import asked.
 *
 *  1. Ask which streams there are, in which order.
 *  2. Branches, tags and commits come from git, in one activity; over the API where the integration wants no clones.
 *     Of a small repository the same activity goes on with 3.
 *  3. The other streams come over the API, in bounded chunks, each from its checkpoint; of a large repository at the same
 *     time as 2, and behind both what links them.
 *     Services that are switched meanwhile stop what is in hand: 1 again, and on from the checkpoints.
 *  4. At a limit: sleep on a timer that says until when; a signal ends it early. At a refused credential: tell the integration and wait.
 *     Paused: the chunk in hand is stopped at its checkpoint.
 *  5. Write the outcome into the row, then tell the imports that wait for it and are not told by this run's end.
 *     A service that was switched on meanwhile is read first, by another run.
 *
 * Other imports that want the repository join (`import/crowd.ts`). When the one that it works for is paused or cancelled,
 * it goes on for another; what that one reads goes on from the same checkpoints.
 */
export async function importRepository(input: ImportRepositoryInput): Promise<void> {
  const { organizationId, integrationId, importId, repositoryId } = input;
  const ids = { organizationId, integrationId, importId, repositoryId };
  const timing = { ...IMPORT_TIMING, ...input.timing };
  const screen = createScreen(input);
  const work = new CancellationScope();
  const steering: Steering = {
    paused: input.carried?.paused ?? input.paused ?? null,
    others: [...(input.others ?? [])],
    messages: 0,
    freed: 0,
    failed: false,
    outdated: input.carried?.outdated ?? false,
    quiet: input.quiet === true,
  };
  const patience = createPatience({ ids, timing, screen, steering });
  const chunks = createChunks({ ids, work, screen, steering, patience });
  const crowd = createCrowd(input, steering, () => chunks.rest());
  let todo = input.carried;
  // the imports whose rows have the outcome
  const told = new Set<string>();
  // by import, since each may be of another integration: the row's version that a pause or its end was told of last
  const newest = new Map<string | undefined, number>();

  setHandler(
    setPaused,
    ({ importId: of, paused, reason, version = newest.get(of) ?? 0 }) => {
      if (version < (newest.get(of) ?? 0)) return;
      newest.set(of, version);
      crowd.pause(of, paused ? (reason ?? 'person') : null);
    },
    { description: 'Wait at the checkpoint, or go on.' },
  );
  setHandler(allowanceFreed, () => void (steering.freed += 1), {
    description: 'End a wait for the request budget early.',
  });
  setHandler(
    servicesChanged,
    ({ importId: of }) => {
      if (of !== importId) return;
      steering.outdated = true;
      chunks.rest();
    },
    { description: 'Services were switched on or off: go on with the streams that are wanted now.' },
  );
  setHandler(stopImport, (message) => void (crowd.leave(message.importId) && work.cancel()), {
    description: 'An import does not want this repository any more: without another that does, end.',
  });

  const outcome = await work.run(walk).catch((error: unknown): Outcome => {
    if (isCancellation(error) || (isLost(error) && work.consideredCancelled)) return { state: 'cancelled' };
    if (!(error instanceof ActivityFailure)) throw error;
    return { state: 'failed', error: readFailure(error).finding };
  });
  const next = await CancellationScope.nonCancellable(async () => {
    const following = await after(outcome);
    await condition(allHandlersFinished);
    return following ?? (await handOn());
  });
  if (next !== undefined) await continueAsNew<typeof importRepository>(next);

  /** Step 5, and the input of the next run: the history is long, or another import takes over. */
  async function after(
    end: Outcome | 'long' | 'paused' | 'over',
  ): Promise<ImportRepositoryInput | undefined> {
    if (!work.consideredCancelled) {
      const heir = end === 'paused' ? await crowd.handOver(true) : undefined;
      if (heir !== undefined) return heir;
      if (end === 'paused' || end === 'long') {
        // What comes while somebody is still answered counts too: a pause, or that nobody wants it any more.
        await condition(allHandlersFinished);
        if (!work.consideredCancelled) return carriedOn();
      }
    }
    crowd.ending();
    if (end === 'over') await tellFinished([importId]);
    else {
      const unread = await finish(typeof end === 'string' ? { state: 'cancelled' } : end);
      if (unread.length > 0) return readOn(unread);
    }
    return handOn();
  }

  /** Nothing is written: the next run asks again which streams are wanted, and has not read these. */
  async function readOn(unread: readonly Stream[]): Promise<ImportRepositoryInput | undefined> {
    await crowd.goesOn();
    steering.outdated = true;
    todo = { ...begun(), streams: begun().streams.filter((stream) => !unread.includes(stream)) };
    return after('long');
  }

  /** The outcome is written: an import that wants more than it says, or wants it once more, goes on. */
  async function handOn(): Promise<ImportRepositoryInput | undefined> {
    await crowd.dismiss(told, async (wanting) => {
      const { finished } = await rows().repositoryOutcomes.executeWithOptions(
        { summary: 'is it wanted once more' },
        [{ organizationId, importId: wanting, repositoryIds: [repositoryId] }],
      );
      return finished.length === 0;
    });
    const following = await crowd.handOver(false);
    // This run's end comes later than its import's outcome.
    if (following !== undefined && following.importId !== importId && steering.quiet)
      await tellImport(importId);
    return following;
  }

  function carriedOn(): ImportRepositoryInput {
    const { outdated } = steering;
    const carried = { ...begun(), outdated, paused: steering.paused, progress: screen.progress };
    return { ...input, others: steering.others, quiet: steering.quiet, carried };
  }

  /**
   * Steps 1 to 4. `long`: the history is; `paused`: another import wants it, and that one is not; `over`: the import has
   * its outcome already.
   */
  async function walk(): Promise<Outcome | 'long' | 'paused' | 'over'> {
    if (todo === undefined && !(await begin())) return 'over';
    for (;;) {
      if (steering.paused !== null) {
        if (heirOf(steering.others) !== undefined) return 'paused';
        await patience.forResume(steering.paused);
        continue;
      }
      if (isLong()) return 'long';
      if (steering.outdated && !(await begin())) return 'over';
      const parts = openParts(begun());
      if (parts.length === 0) return { state: 'completed' };
      await together(parts);
      // Nothing is left to pause, or to carry on in another run.
      if (!steering.outdated && openParts(begun()).length === 0) return { state: 'completed' };
    }
  }

  /** Step 1, and once more when services were switched. False: the import has its outcome already. */
  async function begin(): Promise<boolean> {
    steering.outdated = false;
    const before = todo;
    const answer = await beginRepository();
    if (answer.over === true) return false;
    // What was said since is newer than the row.
    if (steering.messages === 0) steering.paused ??= answer.paused ?? null;
    todo = takeUp(answer, before, { paused: steering.paused, progress: screen.progress });
    return true;
  }

  /**
   * Waits for all of them. Where git fails the API comes to rest, as it would not have begun behind it; git goes on to its
   * end where the API fails. Throws the first failure.
   */
  async function together(parts: readonly Part[]): Promise<void> {
    const failures: unknown[] = [];
    await Promise.all(
      parts.map((part) =>
        read(part).catch((error: unknown) => {
          failures.push(error);
          if (part.kind !== 'git') return;
          steering.failed = true;
          chunks.rest();
        }),
      ),
    );
    if (failures.length > 0) throw failures[0];
  }

  /** Chunk after chunk until the part is done, or something else is to be decided first. */
  async function read(part: Part): Promise<void> {
    while (steering.paused === null && !steering.failed && !steering.outdated && !isLong()) {
      const { freed } = steering;
      const result = await chunks.read(part, begun());
      if (result === null) continue;
      screen.count(result);
      if (result.gitDone === true) todo = { ...begun(), gitDone: true };
      if (result.limited !== undefined) await patience.forLimit(result.limited, freed);
      else if (result.done) {
        todo = { ...begun(), [part.kind === 'small' ? 'apiDone' : `${part.kind}Done`]: true };
        return;
      }
      // What is left of a small repository is another part.
      if (result.gitDone === true) return;
    }
  }

  function beginRepository(): ReturnType<ImportActivities['beginRepository']> {
    const options = { summary: 'which streams are to be read' };
    return soon(
      () => rowsHere().beginRepository.executeWithOptions(options, [ids]),
      () => rows().beginRepository.executeWithOptions(options, [ids]),
    );
  }

  function begun() {
    if (todo === undefined) throw new TypeError('A repository was read before it was begun.');
    return todo;
  }

  /** Step 5. Answers what is to be read first; nothing: the outcome is written. */
  async function finish({ state, error }: Outcome): Promise<readonly Stream[]> {
    const { retries, streams } = todo ?? {};
    const ending = {
      ...ids,
      state,
      ...(state === 'completed' && streams !== undefined ? { read: streams } : {}),
      ...(error === undefined ? {} : { error }),
      ...(retries === undefined ? {} : { retries }),
    };
    const options = { summary: `store outcome ${state}` };
    const queued = () => rows().finishRepository.executeWithOptions(options, [ending]);
    const here = () => rowsHere().finishRepository.executeWithOptions(options, [ending]);
    // The chunk that a cancellation stops hears of it with its next heartbeat: no hurry to say that it has ended.
    const {
      importIds,
      state: endedAs = state,
      parked,
      unread = [],
    } = await (state === 'cancelled' ? queued() : soon(here, queued));
    if (unread.length > 0) return unread;
    screen.stage(endedAs);
    await tellFinished(importIds);
    if (parked === true) await wakeParked(repositoryId);
    return [];
  }

  async function tellFinished(importIds: readonly string[]): Promise<void> {
    for (const id of importIds) {
      told.add(id);
      if (id !== importId || !steering.quiet) await tellImport(id);
    }
  }

  function tellImport(id: string): Promise<void> {
    const run = workflowInfo().firstExecutionRunId;
    return tell(importWorkflowId(id), (handle) => handle.signal(repositoryFinished, { repositoryId, run }));
  }

  function isLong(): boolean {
    return isLongHistory(timing.historyLimit);
  }
}
