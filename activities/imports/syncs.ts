import type { Database, Transaction } from '../../db/client.ts';
import { endRepository } from '../../db/queries/importRepositories.ts';
import { takeRange } from '../../db/queries/syncRanges.ts';
import * as queries from '../../db/queries/syncs.ts';
import type { SyncActivities } from '../../workflows/contracts/syncs.ts';
import { REPOSITORY_RUN_LOST } from '../../workflows/findings.ts';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import { SERVICES, type Service } from '../../workflows/words.ts';

export interface SyncDependencies {
  database: Database;
  /** Whether a workflow of this id runs now. */
  isRunning: (workflowId: string) => Promise<boolean>;
}

type BeginInput = Parameters<SyncActivities['beginSync']>[0];
type Begun = Awaited<ReturnType<SyncActivities['beginSync']>>;

/** Rows of syncs, as `syncRepository` writes them. Each may run again after its answer was lost. */
export function createSyncActivities({ database, isRunning }: SyncDependencies): SyncActivities {
  return {
    async beginSync(input) {
      // Two cannot read a repository at the same time; whoever does would fence the other out.
      if (await isRunning(importRepositoryWorkflowId(input.repositoryId))) return { outcome: 'busy' };
      return database.transaction(input.organizationId, (tx) => begin(tx, input));
    },

    finishSync: ({ organizationId, repositoryId, syncId, firstParkedMs, mostParkedMs }) =>
      database.transaction(organizationId, async (tx) => {
        const of = { syncId, repositoryId };
        const outcome = (await queries.readSyncOutcome(tx, of)) ?? { state: 'cancelled', error: null };
        let { state, error } = outcome;
        if (state !== 'completed' && state !== 'failed' && state !== 'cancelled') {
          // The run ended without an outcome: an operator ended it.
          [state, error] = ['failed', REPOSITORY_RUN_LOST];
          await endRepository(tx, { importId: syncId, repositoryId, state, error, retries: null });
        }
        await queries.endSync(tx, syncId);
        await queries.removeOlderSyncs(tx, of);
        if (state === 'completed') await queries.recordSuccess(tx, of);
        else await queries.noteUnread(tx, of);
        if (state !== 'failed') return { state, parked: null };
        const parking = { firstMs: firstParkedMs, capMs: mostParkedMs };
        const finding = error ?? REPOSITORY_RUN_LOST;
        const parked = await queries.recordFailure(tx, { ...of, error: finding, ...parking });
        return { state, parked: parked ?? null };
      }),
  };
}

async function begin(tx: Transaction, input: BeginInput): Promise<Begun> {
  const subject = await queries.readSyncSubject(tx, input);
  const { organizationId, repositoryId, services } = input;
  if (subject === undefined) {
    if (!(await queries.isFetchedByOther(tx, input)))
      return { outcome: 'not_wanted', why: 'it is not there any more' };
    // That one tells of changes too, and its hints have come to this run since it took the repository over.
    await queries.noteMissed(tx, { organizationId, repositoryId, services });
    return { outcome: 'not_wanted', why: 'another integration fetches it' };
  }
  if (!subject.imported) return { outcome: 'not_wanted', why: 'it was never imported' };
  if (subject.absent) return { outcome: 'not_wanted', why: 'Bitbucket does not show it any more' };
  switch (subject.integrationState) {
    case 'active':
      break;
    case 'paused':
    case 'needs_credential':
      await queries.noteMissed(tx, { organizationId, repositoryId, services });
      return { outcome: 'not_wanted', why: `the integration is ${subject.integrationState}` };
    default:
      return { outcome: 'not_wanted', why: `the integration is ${subject.integrationState}` };
  }
  const missed = await queries.readMissed(tx, repositoryId);
  const isRanged = await takeRange(tx, repositoryId);
  const wanted = new Set<Service>(isRanged ? SERVICES : [...services, ...missed]);
  const chosen = SERVICES.filter((service) => wanted.has(service) && subject.services.includes(service));
  if (chosen.length === 0) return { outcome: 'not_wanted', why: 'its services are switched off' };
  await queries.insertSync(tx, { ...input, services: chosen });
  return { outcome: 'begun', fullName: subject.fullName };
}
