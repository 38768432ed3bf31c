import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  patched,
  setCurrentDetails,
  setHandler,
  type SignalDefinition,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Outlook } from './contracts/streams.ts';
import { importDetails, summary } from './details.ts';
import { createControl } from './import/control.ts';
import { createHand } from './import/hand.ts';
import { PAUSED } from './import/paused.ts';
import { stopHand } from './import/stop.ts';
import { tell } from './import/tell.ts';
import { integrationWorkflowId } from './ids.ts';
import type { ImportRepositoriesInput } from './inputs.ts';
import {
  importFinished,
  importGoesOn,
  lookForMore,
  ownerChanged,
  repositoryFinished,
  servicesChanged,
  setPaused,
} from './messages.ts';
import { isLongHistory } from './longHistory.ts';
import { manyRows, rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import { IMPORT_TIMING } from './timing.ts';
import { createTurns } from './turns.ts';

/** From then on what is to be tried again is looked for also where the word of it came while the end was stored. */
const HEARS_AT_ITS_END = 'import-hears-of-retries-at-its-end';

/** From then on an import that was opened again, while a command was told that it has ended, takes commands again. */
const HEARS_AGAIN = 'opened-import-takes-commands';

/** Names fetched ahead, so that a repository that ends does not cost a query for the next. */
const NAMES_AHEAD = 50;

/**
 * Brings in the repositories that a person chose. Id: `import/{importId}`.
 *
 *  1. Turn the selection into one row a repository. In place of a lost run: take up the repositories that it left behind.
 *  2. Keep up to 16 `importRepository` runs in hand. They are abandoned children: they outlive a run of this one.
 *  3. What became of a repository is read from its row; its signal only says that it is worth looking.
 *  4. Pause, resume and cancel (`import/control.ts`) are passed on to the runs in hand.
 *  5. When all have ended, the import is completed, or completed with failures: one bad repository stops nobody.
 *     Those that failed may be tried again, also when it has ended: then it goes on, in this run or another.
 *
 * It continues as new while children run: their ids are carried, and their rows read again at the start of each run.
 */
export async function importRepositories(input: ImportRepositoriesInput): Promise<void> {
  const { organizationId, integrationId, importId } = input;
  const ids = { organizationId, importId };
  const timing = { ...IMPORT_TIMING, ...input.timing };
  // what the runs in hand were last told
  let shown = input.carried?.paused ?? null;
  const control = createControl({ ...ids, integrationId }, input.carried?.control);
  const hand = createHand(input, () => shown);
  let { total, title } = input.carried ?? { total: 0, title: 'Import' };
  let ahead: { repositoryId: string; fullName: string }[] | null = [];
  // `isOpen` until its end is stored; repositories that are tried again open it anew
  const standing = { isOpen: true, more: false };
  // in hand when failed ones were to be tried again: one of them may be meant, whose run is about to end
  const meant = new Set(input.carried?.meant);
  // what the integration is told arrives in the order of telling
  const telling = createTurns();
  let counts: Outlook & Record<'completed' | 'failed' | 'records' | 'requests', number> = {
    completed: 0,
    failed: 0,
    records: 0,
    requests: 0,
  };

  setHandler(repositoryFinished, ({ repositoryId, run }) => hand.finished(repositoryId, run), {
    description: 'A repository of this import has its outcome.',
  });
  setHandler(ownerChanged, ({ repositoryId, yours }) => hand.owns(repositoryId, yours), {
    description: 'Several imports want a repository: its run works for this one now, or for another.',
  });
  setHandler(
    lookForMore,
    async () => {
      standing.more = true;
      if (!standing.isOpen) await openAnew();
    },
    { description: 'Repositories that failed are to be tried again.' },
  );
  setHandler(servicesChanged, () => hand.tell(servicesChanged, { importId }), {
    description: 'Services of the integration were switched on or off.',
  });
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: shown ?? 'importing' },
  ]);
  show();

  let interruption: unknown;
  for (let begin = bringIn; standing.isOpen; begin = walk) {
    let end = await begin().catch(interrupted);
    if (end === 'long') end = await readyForNextRun().catch(interrupted);
    if (end === 'long') {
      const carried = {
        total,
        title,
        inHand: hand.list(),
        meant: [...meant],
        paused: shown,
        control: control.carried(),
      };
      await continueAsNew<typeof importRepositories>({ ...input, carried });
    }
    await CancellationScope.nonCancellable(async () => {
      if (end === 'cancelled') await stopHand(hand, importId);
      await finish(end === 'cancelled');
      // whoever still waits for an answer is told that it has ended
      await condition(allHandlersFinished);
      // Somebody may have been told so by a row that is open again.
      if (standing.isOpen && patched(HEARS_AGAIN)) control.end(null);
    });
  }
  if (interruption !== undefined) throw interruption;

  /** An operator cancelled the run: it ends as if a person had cancelled the import. */
  function interrupted(error: unknown): 'cancelled' {
    if (!isCancellation(error)) throw error;
    interruption = error;
    return 'cancelled';
  }

  async function readyForNextRun(): Promise<'long'> {
    await hand.joinAgain();
    await condition(allHandlersFinished);
    return 'long';
  }

  /** Steps 1 to 4, until all repositories have ended, a person cancels, or the history is long. */
  async function bringIn(): Promise<'all' | 'long' | 'cancelled'> {
    if (input.carried !== undefined) {
      control.begin();
      await hand.lookAgain();
      return walk();
    }
    const begun = await manyRows().prepareImport.executeWithOptions(
      { summary: 'find the repositories that were chosen' },
      [{ organizationId, integrationId, importId }],
    );
    ({ total, title } = begun);
    control.begin(begun.control);
    if (begun.begun !== undefined) await adopt(begun.begun);
    return begun.ended === undefined ? walk() : 'all';
  }

  /** In hand before anything said since is passed on; each is told how it stands now. */
  async function adopt(begun: { repositoryId: string; fullName: string }[]): Promise<void> {
    shown = control.paused;
    await Promise.all(begun.map((repository) => hand.take(repository)));
    if (shown !== null) await passOn({ restate: true });
  }

  async function walk(): Promise<'all' | 'long' | 'cancelled'> {
    let lookAgainAtMs = Date.now() + timing.lookAgainEveryMs;
    let rollUpAtMs = Date.now();
    for (;;) {
      for (const repositoryId of await hand.settle()) if (meant.delete(repositoryId)) ahead ??= [];
      if (standing.more) {
        ahead ??= [];
        for (const { repositoryId } of hand.list()) meant.add(repositoryId);
      }
      standing.more = false;
      if (control.cancelRequested) return 'cancelled';
      if (control.hasWord || control.paused !== shown) await passOn();
      if (control.paused === null && !isLong()) await takeMore();
      if (hand.size === 0 && ahead === null) return 'all';
      if (isLong()) return 'long';
      if (rollUpAtMs <= Date.now()) {
        await rollUp();
        rollUpAtMs = Date.now() + timing.rollUpEveryMs;
      }
      show();
      const nextMs = hand.size === 0 ? lookAgainAtMs : Math.min(lookAgainAtMs, rollUpAtMs);
      const news = () => hand.hasNews() || isTold() || isLong() || standing.more;
      if (hand.size === 0) await condition(news);
      else await condition(news, Math.max(1, nextMs - Date.now()), { summary: 'looks at the totals again' });
      if (lookAgainAtMs <= Date.now()) {
        await hand.lookAgain();
        lookAgainAtMs = Date.now() + timing.lookAgainEveryMs;
      }
    }
  }

  /** Somebody said something that is not passed on yet. */
  function isTold(): boolean {
    return control.cancelRequested || control.hasWord || control.paused !== shown;
  }

  async function takeMore(): Promise<void> {
    while (hand.size < timing.fanOut && ahead !== null && !isTold()) {
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

  /** Step 4. A run that another import wants too goes on for that one. */
  async function passOn({ restate = false } = {}): Promise<void> {
    const reason = control.paused;
    const changed = restate || reason !== shown;
    shown = reason;
    control.heard();
    if (changed) {
      upsertSearchAttributes([{ key: STAGE, value: reason ?? 'importing' }]);
      const state = reason === null ? 'running' : PAUSED[reason].state;
      const waiting = reason === null ? null : { until: null, why: PAUSED[reason].why };
      await rows().setImportState.executeWithOptions({ summary: `store state ${state}` }, [
        { ...ids, state, waiting },
      ]);
    }
    await hand.tell(setPaused, { paused: reason !== null, reason, importId });
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
    if (state === 'running') {
      ahead = [];
      return;
    }
    standing.isOpen = false;
    control.end(state);
    upsertSearchAttributes([{ key: STAGE, value: state }]);
    setCurrentDetails(
      importDetails({ title, doing: state, total, ...counts, nowMs: Date.now(), inHand: [] }),
    );
    await tellIntegration(importFinished);
    // Said before the end was known here, but behind it in the rows: there are repositories to be tried again.
    if (standing.more && !standing.isOpen && patched(HEARS_AT_ITS_END)) await openAnew();
  }

  function openAnew(): Promise<void> {
    standing.isOpen = true;
    control.end(null);
    return tellIntegration(importGoesOn);
  }

  function tellIntegration(message: SignalDefinition<[{ importId: string }]>): Promise<void> {
    const to = integrationWorkflowId(integrationId);
    return telling.take(() => tell(to, (handle) => handle.signal(message, { importId })));
  }

  function show(): void {
    const doing = control.paused === null ? 'imports' : PAUSED[control.paused].doing;
    const inHand = hand.list().map(({ fullName }) => fullName);
    setCurrentDetails(
      importDetails({ title: summary(title), doing, total, ...counts, nowMs: Date.now(), inHand }),
    );
  }

  function isLong(): boolean {
    return isLongHistory(timing.historyLimit);
  }
}
