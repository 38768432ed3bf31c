import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  executeChild,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import type { SyncActivities } from './contracts.ts';
import { clock, summary, syncDetails } from './details.ts';
import { importRepositoryWorkflowId } from './ids.ts';
import { importRepository } from './importRepository.ts';
import type { SyncRepositoryInput } from './inputs.ts';
import { changed } from './messages.ts';
import { rows, rowsHere, soon } from './policies.ts';
import { priorityOf } from './priority.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, REPOSITORY_ID, STAGE } from './searchAttributes.ts';
import { SYNC_TIMING } from './timing.ts';
import type { Service } from './words.ts';

/**
 * Brings an imported repository up to date. Id: `repository/{repositoryId}/sync`; started by its first `changed`.
 *
 *  1. Take up what the hints so far say may have changed. An import that reads the repository goes first.
 *  2. Read what changed since the watermarks, by the same run that imports a repository.
 *  3. Failed: parked until a time that grows with each failure, or until a person asks again.
 *  4. Again, as long as hints have come meanwhile; then end. The next hint starts another run.
 *
 * A hint that comes while 2 runs is taken up by another round: nobody knows whether its page was read before or after.
 */
export async function syncRepository(input: SyncRepositoryInput): Promise<void> {
  const { organizationId, integrationId, repositoryId } = input;
  const ids = { organizationId, integrationId, repositoryId };
  const timing = { ...SYNC_TIMING, ...input.timing };
  const wanted = new Set<Service>(input.carried?.wanted);
  let { fullName } = input;
  let asked = false;
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

  for (;;) {
    if (isLong()) {
      await condition(allHandlersFinished);
      await continueAsNew<typeof syncRepository>({ ...input, fullName, carried: { wanted: [...wanted] } });
    }
    if (wanted.size === 0) break;
    const taken = [...wanted];
    wanted.clear();
    asked = false;
    const syncId = uuid4();
    const begun = await begin(syncId, taken);
    if (begun === 'not_wanted') continue;
    if (begun === 'long') {
      for (const service of taken) wanted.add(service);
      continue;
    }
    await read(syncId);
    const { parked } = await finish(syncId);
    if (parked === null) continue;
    for (const service of taken) wanted.add(service);
    await park(parked);
  }
  await condition(allHandlersFinished);

  /** Step 1. `long`: an import reads it, and the history has grown long over the waiting. */
  async function begin(syncId: string, services: Service[]): Promise<'begun' | 'not_wanted' | 'long'> {
    for (let waitMs = timing.busyMs; ; waitMs = Math.min(waitMs * 2, timing.mostBusyMs)) {
      const answer = await beginSync({ ...ids, syncId, services });
      if (answer.outcome === 'begun') {
        ({ fullName } = answer);
        return 'begun';
      }
      if (answer.outcome === 'not_wanted') {
        show(`nothing to do: ${answer.why}`, 'ended', null);
        return 'not_wanted';
      }
      if (isLong()) return 'long';
      await pause(waitMs, 'an import reads the repository; looks again', 'waiting', () => false);
    }
  }

  /** Step 2. Its outcome is in the sync's row, whatever becomes of the run. */
  async function read(syncId: string): Promise<void> {
    show('reads what changed', 'running', null);
    for (;;) {
      try {
        await executeChild(importRepository, {
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
        return;
      } catch (error) {
        if (isCancellation(error)) throw error;
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) return;
        // An import began at this moment.
        await pause(timing.busyMs, 'an import reads the repository; looks again', 'waiting', () => false);
      }
    }
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

  /** Step 3. */
  async function park({ until, failures }: { until: string; failures: number }): Promise<void> {
    const times = failures === 1 ? 'once' : `${failures} times`;
    const ms = Date.parse(until) - Date.now();
    await pause(ms, `failed ${times} in a row; tries again`, 'failed', () => asked);
  }

  /** A durable timer that an operator can read; `woken` ends it early. */
  async function pause(ms: number, saying: string, as: string, woken: () => boolean): Promise<void> {
    const untilMs = Date.now() + Math.max(1, ms);
    const until = clock(untilMs, Date.now());
    show(saying, as, until);
    await condition(woken, Math.max(1, ms), { summary: summary(`${saying} ${until}`) });
  }

  function show(doing: string, as: string, until: string | null): void {
    setCurrentDetails(syncDetails({ fullName, doing, until, wanted: [...wanted] }));
    if (as !== stage) upsertSearchAttributes([{ key: STAGE, value: as }]);
    stage = as;
  }

  function isLong(): boolean {
    const { continueAsNewSuggested, historyLength } = workflowInfo();
    return continueAsNewSuggested || historyLength > timing.historyLimit;
  }
}
