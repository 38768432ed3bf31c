import { selectForeignRepositories } from '../../db/queries/api/imports.ts';
import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { importOrNotFound } from '../importCommand.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { invalidRequest } from '../problem.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { retryFailedBody } from '../schemas/importBodies.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/imports/{id}/retry-failed',
  operationId: 'retryFailed',
  summary: 'Try the failed repositories of an import again',
  description:
    'In the same import, whether it has ended or still runs: each goes on from its checkpoints, what has completed is left alone. An import that had ended runs again.',
  tags: ['Imports'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(retryFailedBody, false) },
  responses: { 202: answer(importSchema, 'The import, running again.', locationHeader) },
});

export function addRetryFailed(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { repositories } = c.req.valid('json');
    const { dependencies, principal } = c.var;
    const { integrationId } = await importOrNotFound(c.var, id);
    const repositoryIds = repositories?.map((one) => one.toLowerCase()) ?? null;
    if (repositoryIds !== null) {
      const foreign = await dependencies.database.transaction(principal.organizationId, (tx) =>
        selectForeignRepositories(tx, { importId: id, repositoryIds }),
      );
      if (foreign.length > 0) throw notOfImport(id, repositoryIds, foreign);
    }
    const integration = await integrationOrNotFound(c.var, integrationId);
    await commandIntegration(c.var, messages.retryFailed, integration, {
      importId: id,
      repositoryIds,
      actor: actorOf(principal),
    });
    const row = await importOrNotFound(c.var, id);
    return c.json(presentImport(row), 202, { Location: `/v1/imports/${id}` });
  });
}

const notOfImport = (importId: string, asked: string[], foreign: string[]) =>
  invalidRequest(
    422,
    foreign.map((one) => ({
      location: `body.repositories.${asked.indexOf(one)}`,
      message: `${one} is not a repository of this import.`,
      fix: `Choose ids from GET /v1/imports/${importId}/repositories?state=failed.`,
    })),
  );
