import { z } from '@hono/zod-openapi';
import {
  cancelPendingImport,
  insertImport,
  readImport,
  seesAnyRepository,
  selectAbsent,
  selectUnknown,
} from '../../db/queries/api/imports.ts';
import { selectBeingRemoved } from '../../db/queries/api/removals.ts';
import type { Transaction } from '../../db/client.ts';
import type { ChosenSelection } from '../../db/schema/imports.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import type { Presence } from '../../workflows/words.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { keyedId } from '../keyedId.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { invalidRequest, notFound, Problem } from '../problem.ts';
import { refuse } from '../refuse.ts';
import { estimatePath, estimateSchema } from '../schemas/estimate.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { startImportBody } from '../schemas/importBodies.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';
import { startEstimate } from '../startEstimate.ts';
import { neverBegan } from '../temporalProblems.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/imports',
  operationId: 'startImport',
  summary: 'Import repositories, or estimate what that would take',
  description:
    'With `dry_run` nothing is imported: a few requests to Bitbucket tell how many more the import would make, how many rows it would store and when it would end.',
  tags: ['Imports'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(startImportBody) },
  responses: {
    202: answer(
      z.union([importSchema, estimateSchema]),
      'The import, or with `dry_run` the estimate; follow it at Location.',
      locationHeader,
    ),
  },
});

export function addStartImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { mode, dry_run: dryRun, ...chosen } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    refuse(refuseByState('startImport', integration.state));
    const selection = await checkSelection(c.var, integration.id, selectionOf(chosen));
    const { dependencies, principal } = c.var;
    const { organizationId, apiKeyId, actingUser } = principal;
    const { database } = dependencies;
    const id = await keyedId(
      { database, organizationId, claim: c.var.claim },
      dryRun ? 'import_estimates' : 'imports',
      { integration: integration.id, mode, selection, ...(dryRun ? { dryRun } : {}) },
    );
    if (dryRun) {
      const estimate = await startEstimate(c.var, integration, { id, mode, selection });
      return c.json(estimate, 202, { Location: estimatePath(id) });
    }
    const isNew = await database.transaction(organizationId, (tx) =>
      insertImport(tx, {
        id,
        organizationId,
        integrationId: integration.id,
        mode,
        selection,
        startedByKey: apiKeyId,
        startedByUser: actingUser,
      }),
    );
    try {
      await commandIntegration(c.var, messages.startImport, integration, {
        importId: id,
        mode,
        actor: actorOf(principal),
      });
    } catch (error) {
      // What was there already may have its run, by the request that made it.
      if (isNew && neverBegan(error))
        await database.transaction(organizationId, (tx) => cancelPendingImport(tx, id));
      throw error;
    }
    const row = await database.transaction(organizationId, (tx) => readImport(tx, id));
    if (row === null) throw notFound('import');
    return c.json(presentImport(row), 202, { Location: `/v1/imports/${id}` });
  });
}

/** The schema lets exactly one of them through. */
function selectionOf(chosen: Omit<z.infer<typeof startImportBody>, 'mode' | 'dry_run'>): ChosenSelection {
  const { repositories, projects, workspaces } = chosen;
  // As Postgres writes them.
  const unique = (ids: string[]): string[] => [...new Set(ids.map((id) => id.toLowerCase()))];
  if (repositories !== undefined) return { repositories: unique(repositories) };
  if (projects !== undefined) return { projects: unique(projects) };
  if (workspaces !== undefined) return { workspaces: unique(workspaces) };
  return { all: true };
}

/** Everything chosen must be seen by the integration: ids of others are as unknown as ids that never were. */
async function checkSelection(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integrationId: string,
  selection: ChosenSelection,
): Promise<ChosenSelection> {
  await dependencies.database.transaction(principal.organizationId, async (tx) => {
    if ('all' in selection) {
      if (await seesAnyRepository(tx, integrationId)) return;
      throw new Problem({
        status: 409,
        code: 'nothing_to_import',
        detail: 'The integration sees no repository yet, or none outside its excluded owners.',
        fix: 'Wait until discovery has ended (`discovery` of the integration), or give the account access to a repository and discover again.',
      });
    }
    const [of, ids] =
      'repositories' in selection
        ? (['repositories', selection.repositories] as const)
        : 'projects' in selection
          ? (['projects', selection.projects] as const)
          : (['workspaces', selection.workspaces] as const);
    const unknown = await selectUnknown(tx, { integrationId, of, ids });
    if (unknown.length === 0) {
      if (of !== 'repositories') return;
      await refuseBeingRemoved(tx, ids);
      const absent = await selectAbsent(tx, { integrationId, ids });
      if (absent.length > 0) throw absentRepositories(integrationId, ids, absent);
      return;
    }
    throw invalidRequest(
      422,
      unknown.map((id) => ({
        location: `body.${of}.${ids.indexOf(id)}`,
        message: `${id} is not something with repositories that this integration sees.`,
        fix: `Choose ids from GET /v1/integrations/${integrationId}/${of}; discover again if it is new.`,
      })),
    );
  });
  return selection;
}

async function refuseBeingRemoved(tx: Transaction, ids: string[]): Promise<void> {
  const [first] = await selectBeingRemoved(tx, ids);
  if (first === undefined) return;
  throw new Problem({
    status: 409,
    code: 'repository_being_removed',
    detail: `The data of repository ${first} is being removed at this moment.`,
    fix: `Wait until \`removal\` of GET /v1/repositories/${first} is null, then import it.`,
  });
}

const WHAT: Record<Presence, string> = {
  present: 'is there',
  gone: 'is gone: Bitbucket does not show it any more',
  no_access: 'is out of reach of the account of this integration',
};

const absentRepositories = (
  integrationId: string,
  ids: string[],
  absent: { id: string; presence: Presence }[],
) =>
  invalidRequest(
    422,
    absent.map(({ id, presence }) => ({
      location: `body.repositories.${ids.indexOf(id)}`,
      message: `${id} ${WHAT[presence]}.`,
      fix: `Leave it out. If it is there again, POST /v1/integrations/${integrationId}/discover finds it.`,
    })),
  );
