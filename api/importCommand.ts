import { readImport, type ImportRow } from '../db/queries/api/imports.ts';
import { refuseEnded } from '../workflows/import/rules.ts';
import * as messages from '../workflows/messages.ts';
import { type ImportCommand, isEndedImport } from '../workflows/words.ts';
import { commandIntegration } from './commandIntegration.ts';
import type { ApiEnv } from './dependencies.ts';
import { notFound, unavailable } from './problem.ts';
import { refuse } from './refuse.ts';
import { repeated } from './repeated.ts';
import { actorOf, integrationOrNotFound } from './snapshot.ts';

type Variables = Pick<ApiEnv['Variables'], 'dependencies' | 'principal' | 'claim'>;

const UPDATES = {
  pause: messages.pauseImport,
  resume: messages.resumeImport,
  cancel: messages.cancelImport,
} as const satisfies Record<ImportCommand, unknown>;

/** The import's row, or 404: for what is not there and for what belongs to another organization. */
export async function importOrNotFound(
  { dependencies, principal }: Variables,
  id: string,
): Promise<ImportRow> {
  const row = await dependencies.database.read(principal.organizationId, (tx) => readImport(tx, id));
  if (row === null) throw notFound('import');
  return row;
}

/**
 * Carries out a person's command and gives the import as it stands then. An import that has ended is judged by its row,
 * one that runs by its run; a run that an operator ended is started again, so that the command finds somebody.
 * Throws Problems: 404, 409, 503.
 */
export async function commandImport(
  variables: Variables,
  importId: string,
  command: ImportCommand,
): Promise<ImportRow> {
  const { dependencies, principal } = variables;
  const actor = actorOf(principal);
  const update = UPDATES[command];
  for (const isLastTry of [false, true]) {
    const row = await importOrNotFound(variables, importId);
    if (isEndedImport(row.state)) {
      refuse(refuseEnded(command, row.state));
      return row;
    }
    const answer = await dependencies.orchestrator.commandImport(
      update,
      importId,
      { actor },
      repeated(variables, update.name),
    );
    if (answer !== null) return importOrNotFound(variables, importId);
    if (isLastTry) break;
    const now = await importOrNotFound(variables, importId);
    if (isEndedImport(now.state)) continue;
    const integration = await integrationOrNotFound(variables, row.integrationId);
    // Never joined: what an earlier one has begun anew may be lost again.
    await commandIntegration({ dependencies, principal }, messages.reviveImport, integration, {
      importId,
      actor,
    });
  }
  throw unavailable('worker');
}
