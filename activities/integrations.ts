import { DatabaseError } from '../db/errors.ts';
import type { Database, Transaction } from '../db/client.ts';
import * as queries from '../db/queries/integrations.ts';
import { releaseWaiting } from '../db/queries/requestBudget.ts';
import type { IntegrationActivities } from '../workflows/contracts.ts';
import { discoveryConsumer } from './bitbucket/asker.ts';
import { EngineError } from './engineError.ts';

type SaveInput = Parameters<IntegrationActivities['saveIntegration']>[0];

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

    runningSyncs: ({ organizationId, integrationId }) =>
      database.transaction(organizationId, async (tx) => ({
        syncs: [...(await queries.selectRunningSyncs(tx, integrationId))],
      })),

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

    adoptCredential: ({ organizationId, integrationId, credentialId, checkId }) =>
      database.transaction(organizationId, async (tx) => {
        const row = await queries.lockIntegrationCredential(tx, integrationId);
        if (row === undefined) return;
        const candidate = credentialId ?? (await queries.selectOauthCandidate(tx, integrationId));
        if (candidate === undefined) {
          // An OAuth candidate that this check had adopted before its answer got lost is no candidate any more.
          if (row.lastCheckId === checkId) return;
          throw credentialShredded();
        }
        if (!(await queries.activateCredential(tx, { integrationId, credentialId: candidate }))) {
          throw credentialShredded();
        }
        await queries.shredCredentials(tx, { integrationId, states: ['active'], except: candidate });
        await queries.setIntegrationCredential(tx, { integrationId, credentialId: candidate, checkId });
        // It may be another account, with an allowance of its own: whoever waits for the old one's asks again.
        const imports = await queries.selectRunningImports(tx, integrationId);
        await releaseWaiting(tx, [...imports, discoveryConsumer(integrationId)]);
      }),

    discardCredential: ({ organizationId, integrationId, credentialId }) =>
      database.transaction(organizationId, async (tx) => {
        const only = credentialId ?? (await queries.selectOauthCandidate(tx, integrationId));
        if (only !== undefined) {
          await queries.shredCredentials(tx, { integrationId, states: ['candidate'], only });
        }
      }),

    removeDraft: ({ organizationId, integrationId, actor }) =>
      database.transaction(organizationId, async (tx) => {
        await queries.shredCredentials(tx, { integrationId, states: ['candidate', 'active'] });
        if (!(await queries.deleteDraft(tx, integrationId))) return;
        const action = actor === null ? 'draft_expired' : 'draft_deleted';
        await queries.insertAuditEvent(tx, { organizationId, integrationId, action, actor });
      }),
  };
}

async function save(tx: Transaction, input: SaveInput): Promise<{ version: number }> {
  const { organizationId, integrationId, expectedVersion, change, audit } = input;
  const version = await queries.updateIntegration(tx, { integrationId, expectedVersion, change });
  if (version !== undefined) {
    if (audit !== undefined) {
      const { reason: _, ...details } = change;
      await queries.insertAuditEvent(tx, { organizationId, integrationId, ...audit, details });
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
