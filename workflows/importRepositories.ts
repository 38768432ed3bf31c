import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { importDetails, summary } from './details.ts';
import { createHand } from './import/hand.ts';
import { stopHand } from './import/stop.ts';
import { tell } from './import/tell.ts';
import { integrationWorkflowId } from './ids.ts';
import type { ImportRepositoriesInput, PauseReason } from './inputs.ts';
import { importFinished, repositoryFinished, setPaused } from './messages.ts';
import { manyRows, rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import { IMPORT_TIMING } from './timing.ts';

/** Names fetched ahead, so that a repository that ends does not cost a query for the next. */
const NAMES_AHEAD = 50;

/**
 * Brings in the repositories that a person chose. Id: `import/{importId}`.
 *
 *  1. Turn the selection into one row a repository.
 *  2. Keep up to 16 `importRepository` runs in hand. They are abandoned children: they outlive a run of this one.
 *  3. What became of a repository is read from its row; its signal only says that it is worth looking.
 *  4. Pause, resume and cancel are passed on to the runs in hand.
 *  5. When all have ended, the import is completed, or completed with failures: one bad repository stops nobody.
 *
 * It continues as new while children run: their ids are carried, and their rows read again at the start of each run.
 */
export async function importRepositories(input: ImportRepositoriesInput): Promise<void> {
  const { organizationId, integrationId, importId } = input;
  const ids = { organizationId, importId };
  const timing = { ...IMPORT_TIMING, ...input.timing };
  const hand = createHand(input);
  let { total, title } = input.carried ?? { total: 0, title: 'Import' };
  let paused: PauseReason | null = input.carried?.paused ?? null;
  let shown: PauseReason | null = paused;
  // a word from the integration that is not passed on yet: “go on” also wakes those who wait after a 401
  let word = false;
  let ahead: { repositoryId: string; fullName: string }[] | null = [];
  let counts = { completed: 0, failed: 0, records: 0, requests: 0 };

  setHandler(repositoryFinished, ({ repositoryId }) => hand.finished(repositoryId), {
    description: 'A repository of this import has its outcome.',
  });
  setHandler(
    setPaused,
    (message) => {
      paused = message.paused ? (message.reason ?? 'person') : null;
      word = true;
    },
    { description: 'Wait at the checkpoints, or go on.' },
  );
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: paused ?? 'importing' },
  ]);
  show();

  let ended: boolean;
  try {
    if (input.carried === undefined) {
      ({ total, title } = await manyRows().prepareImport.executeWithOptions(
        { summary: 'find the repositories that were chosen' },
        [{ organizationId, integrationId, importId }],
      ));
    } else {
      await hand.lookAgain();
    }
    ended = await walk();
  } catch (error) {
    if (!isCancellation(error)) throw error;
    await CancellationScope.nonCancellable(() => stopHand(hand, importId));
    await CancellationScope.nonCancellable(() => finish(true));
    throw error;
  }
  if (!ended) {
    await condition(allHandlersFinished);
    const carried = { total, title, inHand: hand.list(), paused };
    await continueAsNew<typeof importRepositories>({ ...input, carried });
  }
  await finish(false);

  /** Steps 2 to 4. `true`: all repositories have ended; `false`: the history is long. */
  async function walk(): Promise<boolean> {
    let lookAgainAtMs = Date.now() + timing.lookAgainEveryMs;
    let rollUpAtMs = Date.now();
    for (;;) {
      await hand.settle();
      if (word || paused !== shown) await passOn();
      if (paused === null && !isLong()) await takeMore();
      if (hand.size === 0 && ahead === null && paused === null) return true;
      if (isLong()) return false;
      if (rollUpAtMs <= Date.now()) {
        await rollUp();
        rollUpAtMs = Date.now() + timing.rollUpEveryMs;
      }
      show();
      const nextMs = hand.size === 0 ? lookAgainAtMs : Math.min(lookAgainAtMs, rollUpAtMs);
      const news = () => hand.hasNews() || word || paused !== shown || isLong();
      if (hand.size === 0) await condition(news);
      else await condition(news, Math.max(1, nextMs - Date.now()), { summary: 'looks at the totals again' });
      if (lookAgainAtMs <= Date.now()) {
        await hand.lookAgain();
        lookAgainAtMs = Date.now() + timing.lookAgainEveryMs;
      }
    }
  }

  async function takeMore(): Promise<void> {
    while (hand.size < timing.fanOut && ahead !== null) {
      if (ahead.length === 0) {
        const inHand = hand.list().map(({ repositoryId }) => repositoryId);
        const { repositories } = await rows().nextRepositories.executeWithOptions(
          { summary: 'which repositories come next' },
          [{ ...ids, limit: NAMES_AHEAD, inHand }],
        );
        ahead = repositories.length === 0 ? null : repositories;
        continue;
      }
      await Promise.all(
        ahead.splice(0, timing.fanOut - hand.size).map((repository) => hand.take(repository)),
      );
    }
  }

  /** Step 4. Only runs of this import are paused: one that another import owns is that import's. */
  async function passOn(): Promise<void> {
    const changed = paused !== shown;
    shown = paused;
    word = false;
    if (changed) {
      upsertSearchAttributes([{ key: STAGE, value: paused ?? 'importing' }]);
      const state = paused === null ? 'running' : paused === 'person' ? 'paused' : 'needs_credential';
      await rows().setImportState.executeWithOptions({ summary: `store state ${state}` }, [
        { ...ids, state },
      ]);
    }
    await hand.tell(setPaused, { paused: shown !== null, reason: shown }, 'own');
  }

  async function rollUp(): Promise<void> {
    counts = await rows().rollUpImport.executeWithOptions({ summary: 'roll up the totals' }, [ids]);
  }

  async function finish(cancelled: boolean): Promise<void> {
    await rollUp();
    const { state } = await rows().finishImport.executeWithOptions(
      { summary: 'store how the import ended' },
      [{ ...ids, cancelled }],
    );
    upsertSearchAttributes([{ key: STAGE, value: state }]);
    setCurrentDetails(importDetails({ title, doing: state, total, ...counts, inHand: [] }));
    await tell(integrationWorkflowId(integrationId), (handle) => handle.signal(importFinished, { importId }));
  }

  function show(): void {
    const doing = paused === null ? 'imports' : paused === 'person' ? 'paused' : 'waits for a new credential';
    const inHand = hand.list().map(({ fullName }) => fullName);
    setCurrentDetails(importDetails({ title: summary(title), doing, total, ...counts, inHand }));
  }

  function isLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > timing.historyLimit;
  }
}
