import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  continueAsNew,
  isCancellation,
  ParentClosePolicy,
  patched,
  setCurrentDetails,
  setHandler,
  sleep,
  startChild,
  upsertSearchAttributes,
  uuid4,
} from '@temporalio/workflow';
import type { SyncActivities } from './contracts/syncs.ts';
import { clock, summary, syncDetails } from './details.ts';
import { importRepositoryWorkflowId } from './ids.ts';
import { importRepository } from './importRepository.ts';
import type { SyncRepositoryInput, SyncRound } from './inputs.ts';
import { isLongHistory } from './longHistory.ts';
import { changed } from './messages.ts';
import { rows, rowsHere, soon } from './policies.ts';
import { priorityOf } from './priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID, STAGE } from './searchAttributes.ts';
import { SYNC_TIMING } from './timing.ts';
import type { Service } from './words.ts';

/** From then on a run continues as new while it reads or is parked too. */
const GOES_ON_ANEW = 'sync-goes-on-anew-at-any-time';

/** From then on it does so at once: without the timer of `hearAll`, and while it waits for who reads the repository. */
const ANEW_AT_ONCE = 'sync-goes-on-anew-at-once';

/**
 * Brings an imported repository up to date. Id: `repository/{repositoryId}/sync`; started by its first `changed`.
 *
 *  1. Take up what the hints so far say may have changed. An import that reads the repository goes first.
 *  2. Read what changed since the watermarks, by the same run that imports a repository.
 *  3. Failed: parked until a time that grows with each failure, or until a person asks again.
 *  4. Again, as long as hints have come meanwhile; then end. The next hint starts another run.
 *
 * A hint that comes while 2 runs is taken up by another round: nobody knows whether its page was read before or after.
 * Hints may come once a second for days, and a run takes 10,000 signals: so it continues as new wherever it waits.
 */
export async function syncRepository(input: SyncRepositoryInput): Promise<void> {
  const { organizationId, integrationId, repositoryId } = input;
  const ids = { organizationId, integrationId, repositoryId };
  const timing = { ...SYNC_TIMING, ...input.timing };
  const wanted = new Set<Service>(input.carried?.wanted);
  let { fullName } = input;
  let { asked = false, round, parked } = input.carried ?? {};
  let stage = '';

  setHandler(
    changed,
    ({ services, by }) => {
      for (const service of services) wanted.add(service);
      asked ||= by === 'person';
    },
    { description: 'The repository may have changed in what these services bring in.' },
  );
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: REPOSITORY_ID, value: repositoryId },
  ]);

  for (let turn = 0; ; turn += 1) {
    if (turn > 0) await hearAll();
    if (isLong()) await goOnAnew();
    if (isIdle()) break;
    if (parked !== undefined) {
      if ((await park(parked)) === 'long') await goOnAnewFromWait();
      parked = undefined;
    }
    round ??= await begin();
    if (round === undefined) continue;
    if ((await read(round.syncId)) === 'long') await goOnAnewFromWait();
    const ended = await finish(round.syncId);
    if (ended.parked !== null) {
      for (const service of round.services) wanted.add(service);
      ({ parked } = ended);
    }
    round = undefined;
  }

  /** There is nothing to do. */
  function isIdle(): boolean {
    return round === undefined && parked === undefined && wanted.size === 0;
  }

  /**
   * Before it is decided whether the run ends. Temporal refuses the end where a hint has come meanwhile, and has the task
   * done once more. But the answer of a local activity, recorded by a task before, then comes before the hint, at a shorter
   * history, and the run would end without it. A timer fires where it stands in the history.
   */
  async function hearAll(): Promise<void> {
    await sleep(1);
    await condition(allHandlersFinished);
  }

  async function goOnAnew(): Promise<never> {
    return continueAsNew<typeof syncRepository>({ ...input, fullName, carried: carriedOn() });
  }

  /**
   * Out of a wait that the length of the history has ended. It needs no timer (`hearAll`): an answer that comes earlier when
   * it is told again comes at a shorter history, and so cannot end the wait earlier; and what Temporal refuses over a hint
   * is done once more with that hint. While a timer runs, hundreds of hints may come.
   */
  async function goOnAnewFromWait(): Promise<never> {
    if (!patched(ANEW_AT_ONCE)) await hearAll();
    return goOnAnew();
  }

  function carriedOn(): NonNullable<SyncRepositoryInput['carried']> {
    return {
      wanted: [...wanted],
      asked,
      ...(round === undefined ? {} : { round }),
      ...(parked === undefined ? {} : { parked }),
    };
  }

  /** Step 1. Nothing: there is nothing to read. */
  async function begin(): Promise<SyncRound | undefined> {
    const services = [...wanted];
    wanted.clear();
    asked = false;
    const syncId = uuid4();
    for (let waitMs = timing.busyMs; ; waitMs = Math.min(waitMs * 2, timing.mostBusyMs)) {
      const answer = await beginSync({ ...ids, syncId, services });
      if (answer.outcome === 'begun') {
        ({ fullName } = answer);
        return { syncId, services };
      }
      if (answer.outcome === 'not_wanted') {
        show(`nothing to do: ${answer.why}`, 'ended', null);
        return undefined;
      }
      await waitForReader(waitMs);
      if (isLong()) {
        for (const service of services) wanted.add(service);
        await goOnAnewFromWait();
      }
    }
  }

  /**
   * Step 2. Its outcome is in the sync's row, whatever becomes of the run. What a former run of this one has begun cannot
   * be awaited; so it is begun once more until that has ended: then there is nothing left to read.
   */
  async function read(syncId: string): Promise<'ended' | 'long'> {
    show('reads what changed', 'running', null);
    for (;;) {
      try {
        const reading = await startReading(syncId);
        const ended = reading.result().then(() => 'ended' as const);
        // A cancellation is the child's to end with.
        const long = CancellationScope.nonCancellable(() => condition(isLong)).then(() => 'long' as const);
        const first = await Promise.race([ended, long]);
        return first === 'long' && patched(GOES_ON_ANEW) ? first : await ended;
      } catch (error) {
        if (isCancellation(error)) throw error;
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return 'ended';
        // An import began at this moment, or it is what a former run has begun.
        if (isLong() && patched(GOES_ON_ANEW)) return 'long';
        await waitForReader(timing.busyMs);
        if (isLong() && patched(ANEW_AT_ONCE)) return 'long';
      }
    }
  }

  function startReading(syncId: string) {
    return startChild(importRepository, {
      workflowId: importRepositoryWorkflowId(repositoryId),
      args: [{ ...ids, importId: syncId, fullName, quiet: true }],
      // the only policy under which a child survives the parent's continue-as-new
      parentClosePolicy: ParentClosePolicy.ABANDON,
      priority: priorityOf('sync', integrationId),
      staticSummary: summary(`Sync ${fullName}`),
      typedSearchAttributes: [
        { key: ORGANIZATION_ID, value: organizationId },
        { key: INTEGRATION_ID, value: integrationId },
        { key: REPOSITORY_ID, value: repositoryId },
      ],
    });
  }

  /** Ends early when the history has grown long. */
  async function waitForReader(ms: number): Promise<void> {
    const long = () => isLong() && patched(ANEW_AT_ONCE);
    await pause(ms, 'an import reads the repository; looks again', 'waiting', long);
  }

  function beginSync(asking: Parameters<SyncActivities['beginSync']>[0]) {
    const options = { summary: 'is there something to bring up to date' };
    return soon(
      () => rowsHere().beginSync.executeWithOptions(options, [asking]),
      () => rows().beginSync.executeWithOptions(options, [asking]),
    );
  }

  function finish(syncId: string): ReturnType<SyncActivities['finishSync']> {
    const { firstParkedMs, mostParkedMs } = timing;
    const asking = { ...ids, syncId, firstParkedMs, mostParkedMs };
    const options = { summary: 'store how the repository fares' };
    return soon(
      () => rowsHere().finishSync.executeWithOptions(options, [asking]),
      () => rows().finishSync.executeWithOptions(options, [asking]),
    );
  }

  /** Step 3. `long`: the history has grown long over the hints that came meanwhile. */
  async function park({ until, failures }: { until: string; failures: number }): Promise<'over' | 'long'> {
    const times = failures === 1 ? 'once' : `${failures} times`;
    const ms = Date.parse(until) - Date.now();
    const goesOnAnew = patched(GOES_ON_ANEW);
    const woken = () => asked || (goesOnAnew && isLong());
    const isWoken = await pause(ms, `failed ${times} in a row; tries again`, 'failed', woken);
    return isWoken && !asked ? 'long' : 'over';
  }

  /** A durable timer that an operator can read; `woken` ends it early, which is answered. */
  async function pause(ms: number, saying: string, as: string, woken: () => boolean): Promise<boolean> {
    const untilMs = Date.now() + Math.max(1, ms);
    const until = clock(untilMs, Date.now());
    show(saying, as, until);
    return condition(woken, Math.max(1, ms), { summary: summary(`${saying} ${until}`) });
  }

  function show(doing: string, as: string, until: string | null): void {
    setCurrentDetails(syncDetails({ fullName, doing, until, wanted: [...wanted] }));
    if (as !== stage) upsertSearchAttributes([{ key: STAGE, value: as }]);
    stage = as;
  }

  function isLong(): boolean {
    return isLongHistory(timing.historyLimit);
  }
}
