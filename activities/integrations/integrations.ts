import { DatabaseError } from '../../db/errors.ts';
import type { Database, Transaction } from '../../db/client.ts';
import { insertEvent } from '../../db/queries/events.ts';
import * as queries from '../../db/queries/integrations.ts';
import { readDiscoveryAge } from '../../db/queries/presence.ts';
import { insertCatchUp, switchStreams } from '../../db/queries/services.ts';
import { releaseWaiting } from '../../db/queries/requestBudget.ts';
import { selectParked } from '../../db/queries/syncs.ts';
import type { IntegrationActivities } from '../../workflows/contracts/integration.ts';
import { importRepositoryWorkflowId } from '../../workflows/ids.ts';
import { discoveryConsumer, estimateConsumer, pollConsumer, webhooksConsumer } from '../bitbucket/asker.ts';
import { EngineError } from '../engineError.ts';
import { inWords, isOther } from './otherAccount.ts';
import { removeDraft } from './removeDraft.ts';

type SaveInput = Parameters<IntegrationActivities['saveIntegration']>[0];
type AdoptInput = Parameters<IntegrationActivities['adoptCredential']>[0];

/** An answer of an activity stays below 16 KB. */
const PARKED_AT_ONCE = 400;

/** Rows of the integration, as the entity workflow writes them. Each may run again after its answer was lost. */
export function createIntegrationActivities({ database }: { database: Database }): IntegrationActivities {
  return {
    async saveIntegration(input) {
      try {
        return await database.transaction(input.organizationId, (tx) => save(tx, input));
      } catch (error) {
        if (
          error instanceof DatabaseError &&
          error.code === '23505' &&
          error.constraint === 'integrations_name'
        ) {
          throw nameTaken();
        }
        throw error;
      }
    },

    loadIntegration: ({ organizationId, integrationId }) =>
      database.transaction(organizationId, async (tx) => {
        const row = await queries.selectIntegration(tx, integrationId);
        if (row === undefined) return null;
        const { connectedAccount, ...known } = row;
        return {
          ...known,
          accountName: connectedAccount?.name ?? null,
          runningImportIds: await queries.selectRunningImports(tx, integrationId),
        };
      }),

    storeCatchUp: ({ organizationId, integrationId, importId, services, actor }) =>
      database.transaction(organizationId, async (tx) => ({
        stored: await insertCatchUp(tx, { organizationId, integrationId, importId, services, actor }),
      })),

    runningSyncs: ({ organizationId, integrationId }) =>
      database.transaction(organizationId, async (tx) => ({
        syncs: [...(await queries.selectRunningSyncs(tx, integrationId))],
      })),

    parkedRepositories: ({ organizationId, integrationId, after }) =>
      database.transaction(organizationId, async (tx) => {
        const repositoryIds = await selectParked(tx, { integrationId, after, limit: PARKED_AT_ONCE });
        const isLast = repositoryIds.length < PARKED_AT_ONCE;
        return { repositoryIds, next: isLast ? null : (repositoryIds.at(-1) ?? null) };
      }),

    checkOutcome: ({ organizationId, checkId }) =>
      database.transaction(organizationId, async (tx) => {
        const row = await queries.selectCheckOutcome(tx, checkId);
        if (row === undefined) return { done: true, verdict: 'failed', allowedServices: [], reason: null };
        return {
          done: row.state === 'done',
          verdict: row.verdict,
          allowedServices: row.allowedServices ?? [],
          reason: row.reason,
        };
      }),

    adoptCredential: (input) =>
      database.transaction(input.organizationId, async (tx) => {
        const adopted = await adopt(tx, input);
        const parked = await selectParked(tx, { ...input, after: null, limit: 1 });
        const { failed: discoveryFailed } = await readDiscoveryAge(tx, input);
        return { ...adopted, parked: parked.length > 0, discoveryFailed };
      }),

    lastDiscovery: ({ organizationId, integrationId }) =>
      database.transaction(organizationId, async (tx) => {
        const { failed } = await readDiscoveryAge(tx, { organizationId, integrationId });
        return { failed };
      }),

    discardCredential: ({ organizationId, integrationId, credentialId, reason }) =>
      database.transaction(organizationId, async (tx) => {
        const only = credentialId ?? (await queries.selectOauthCandidate(tx, integrationId));
        if (only === undefined) return;
        const shredded = await queries.shredCredentials(tx, { integrationId, states: ['candidate'], only });
        if (shredded === 0 || reason === undefined) return;
        const data = { reason };
        await insertEvent(tx, { organizationId, integrationId, type: 'credential_rejected', data });
      }),

    removeDraft: ({ organizationId, integrationId, actor }) =>
      database.transaction(organizationId, async (tx) => {
        await removeDraft(tx, { organizationId, integrationId, actor });
      }),
  };
}

async function adopt(tx: Transaction, input: AdoptInput): Promise<{ otherAccount: boolean }> {
  const { organizationId, integrationId, checkId } = input;
  const row = await queries.lockIntegrationCredential(tx, { integrationId, checkId });
  if (row === undefined) return { otherAccount: false };
  const { account, found } = row;
  const previous = account !== null && found !== null && isOther(account, found) ? account : null;
  // Adopted before its answer got lost; an OAuth candidate is no candidate any more then.
  if (row.lastCheckId === checkId) return { otherAccount: row.toldOther };
  const credentialId = input.credentialId ?? (await queries.selectOauthCandidate(tx, integrationId));
  if (credentialId === undefined) throw credentialShredded();
  const kind = await queries.activateCredential(tx, { integrationId, credentialId });
  if (kind === undefined) throw credentialShredded();
  await queries.shredCredentials(tx, { integrationId, states: ['active'], except: credentialId });
  const adopted = { integrationId, credentialId, checkId, account: found, previous };
  await queries.setIntegrationCredential(tx, adopted);
  // It may be another account, with an allowance of its own: whoever waits for the old one's asks again.
  await releaseWaits(tx, integrationId);
  const type = row.credentialId === null ? 'connected' : 'credential_replaced';
  const data = {
    kind,
    account: found === null ? null : inWords(found),
    ...(previous === null ? {} : { previous_account: inWords(previous) }),
  };
  await insertEvent(tx, { organizationId, integrationId, type, data });
  return { otherAccount: previous !== null };
}

/** All runs of the integration that ask Bitbucket. */
async function releaseWaits(tx: Transaction, integrationId: string): Promise<void> {
  const imports = await queries.selectRunningImports(tx, integrationId);
  const syncs = await queries.selectRunningSyncs(tx, integrationId);
  const estimates = await queries.selectRunningEstimates(tx, integrationId);
  await releaseWaiting(tx, {
    consumers: [
      ...imports,
      ...estimates.map(estimateConsumer),
      ...[discoveryConsumer, pollConsumer, webhooksConsumer].map((consumer) => consumer(integrationId)),
    ],
    // Syncs of all integrations are one consumer; what waits is the run that reads.
    waiters: syncs.map(({ repositoryId }) => importRepositoryWorkflowId(repositoryId)),
  });
}

async function save(tx: Transaction, input: SaveInput): Promise<{ version: number; catchesUp?: boolean }> {
  const { organizationId, integrationId, catchUp } = input;
  const saved = await saveChange(tx, input);
  if (catchUp === undefined) return saved;
  // With the services, or a run that is lost in between leaves them on and nobody to see that something is missing.
  const catchesUp = await insertCatchUp(tx, { organizationId, integrationId, ...catchUp });
  return { ...saved, catchesUp };
}

async function saveChange(tx: Transaction, input: SaveInput): Promise<{ version: number }> {
  const { organizationId, integrationId, expectedVersion, change, audit } = input;
  const version = await queries.updateIntegration(tx, { integrationId, expectedVersion, change });
  if (version !== undefined) {
    if (change.services !== undefined) await switchStreams(tx, { integrationId, services: change.services });
    if (audit !== undefined) {
      const { reason: _, ...details } = change;
      await queries.insertAuditEvent(tx, { organizationId, integrationId, details, ...audit });
    }
    if (change.state === 'needs_credential') {
      const data = { reason: change.reason };
      await insertEvent(tx, { organizationId, integrationId, type: change.state, data });
    }
    return { version };
  }
  const row = await queries.selectIntegration(tx, integrationId);
  if (row === undefined) throw integrationGone();
  const isOurs =
    row.version === expectedVersion + 1 &&
    (change.state === undefined || change.state === row.state) &&
    (change.name === undefined || change.name === row.name);
  if (!isOurs) throw versionConflict();
  return { version: row.version };
}

const nameTaken = () =>
  new EngineError('name_taken', {
    code: 'name_taken',
    message: 'Another integration of this organization has this name.',
    remedy: 'Choose another name; upper and lower case count as the same.',
  });

const versionConflict = () =>
  new EngineError('version_conflict', {
    code: 'version_conflict',
    message: 'The row of the integration was changed by somebody else.',
    remedy: 'Read it again, then repeat the change if it is still wanted.',
  });

const integrationGone = () =>
  new EngineError('integration_gone', {
    code: 'integration_gone',
    message: 'The integration does not exist any more.',
    remedy: 'Connect again with a new integration.',
  });

const credentialShredded = () =>
  new EngineError('credential_shredded', {
    code: 'credential_shredded',
    message: 'The credential was removed before it could be used.',
    remedy: 'Submit it again.',
  });
