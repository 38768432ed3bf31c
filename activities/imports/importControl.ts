import type { Database, Transaction } from '../../db/client.ts';
import * as control from '../../db/queries/importControl.ts';
import { insertImportEvent } from '../../db/queries/importEvents.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import type { ImportActivities } from '../../workflows/contracts/imports.ts';
import type { ImportControl } from '../../workflows/inputs.ts';
import { PAUSED } from '../../workflows/import/paused.ts';
import {
  type ImportCommand,
  type ImportState,
  type IntegrationState,
  isEndedImport,
} from '../../workflows/words.ts';

const EVENT_OF: Record<ImportCommand, string> = {
  pause: 'import_paused',
  resume: 'import_resumed',
  cancel: 'import_cancelling',
};
const AUDIT_OF: Record<ImportCommand, string> = {
  pause: 'import_paused',
  resume: 'import_resumed',
  cancel: 'import_cancelled',
};

/** Why nothing is fetched for an integration in this state; null: it is. */
export const pauseOf = (state: IntegrationState): ImportControl['byIntegration'] =>
  state === 'paused' ? 'integration' : state === 'needs_credential' ? state : null;

/** For a run that begins: what was wanted before, and how the import ended if it has. */
export async function controlOf(
  tx: Transaction,
  importId: string,
): Promise<{ control: ImportControl; ended?: ImportState }> {
  const { byPerson, cancelRequested, integration, state } = await control.selectControl(tx, importId);
  const byIntegration = integration === null ? null : pauseOf(integration);
  return {
    control: { byPerson, byIntegration, wasResumed: false, cancelRequested },
    ...(isEndedImport(state) ? { ended: state } : {}),
  };
}

/** What people want of an import, in its row, its events and the audit trail: in one transaction each. */
export function createImportControl(
  database: Database,
): Pick<ImportActivities, 'controlImport' | 'retryRepositories'> {
  return {
    retryRepositories: ({ organizationId, integrationId, importId, repositoryIds, commandId, actor }) =>
      database.transaction(organizationId, async (tx) => {
        const { state, cancelRequested } = await control.lockImport(tx, importId);
        if (state === 'cancelled') return { outcome: 'cancelled' };
        if (cancelRequested) return { outcome: 'cancelling' };
        if (await control.isCarriedOut(tx, { importId, commandId })) return { outcome: 'retried' };
        const repositories = await control.reopenFailed(tx, { importId, repositoryIds });
        if (repositories === 0) {
          const already = await control.countRetried(tx, { importId, repositoryIds });
          return { outcome: already > 0 ? 'already' : 'nothing_failed' };
        }
        const data = { repositories, acting_user: actor.actingUser, command_id: commandId };
        await insertImportEvent(tx, { organizationId, importId, type: 'import_retried', data });
        const details = { import_id: importId, repositories };
        await insertAuditEvent(tx, {
          organizationId,
          integrationId,
          action: 'import_retried',
          actor,
          details,
        });
        return { outcome: 'retried' };
      }),

    controlImport: ({ organizationId, integrationId, importId, command, actor }) =>
      database.transaction(organizationId, async (tx) => {
        const noted = await control.noteCommand(tx, { importId, command, why: PAUSED.person.why });
        if (noted.changed) {
          const { actingUser } = actor;
          const data = { why: 'A person asked for it', acting_user: actingUser };
          await insertImportEvent(tx, { organizationId, importId, type: EVENT_OF[command], data });
          const details = { import_id: importId };
          await insertAuditEvent(tx, {
            organizationId,
            integrationId,
            action: AUDIT_OF[command],
            event: EVENT_OF[command],
            actor,
            details,
          });
        }
        return { ended: isEndedImport(noted.state) ? noted.state : null };
      }),
  };
}
