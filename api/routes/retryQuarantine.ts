import { v7 as uuid } from 'uuid';
import { deletePendingRetry, insertRetry, readRetry } from '../../db/queries/api/quarantine.ts';
import { selectUnknown } from '../../db/queries/api/imports.ts';
import type { RetryFilter } from '../../db/schema/quarantine.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { invalidRequest, notFound } from '../problem.ts';
import { repeated } from '../repeated.ts';
import { presentRetry, retryBody, retrySchema } from '../schemas/quarantine.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';
import { neverBegan } from '../temporalProblems.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/quarantine/retry',
  operationId: 'retryQuarantine',
  summary: 'Try quarantined records again',
  description:
    'After an upgrade of the engine: each record is read from its bytes with the schemas of now. What can be stored is stored, never over newer data, and leaves the quarantine; the rest counts another attempt. No request to Bitbucket. Ids that are not in quarantine (any more) are passed over.',
  tags: ['Quarantine'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(retryBody) },
  responses: { 202: answer(retrySchema, 'It runs; Location says how far it is.', locationHeader) },
});

export function addRetryQuarantine(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { ids, repository, stream } = c.req.valid('json');
    const { dependencies, principal } = c.var;
    const { database, orchestrator } = dependencies;
    const { organizationId, apiKeyId, actingUser } = principal;
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const filter: RetryFilter = {
      ...(ids === undefined ? {} : { ids: [...new Set(ids)] }),
      ...(repository === undefined ? {} : { repository }),
      ...(stream === undefined ? {} : { stream }),
    };
    const id = repeated(c.var, 'retry')?.id ?? uuid();
    const isNew = await database.transaction(organizationId, async (tx) => {
      const asked = { integrationId: integration.id, of: 'repositories' as const };
      const unknown =
        repository === undefined ? [] : await selectUnknown(tx, { ...asked, ids: [repository] });
      if (unknown.length > 0) {
        throw invalidRequest(422, [
          {
            location: 'body.repository',
            message: 'This integration sees no such repository.',
            fix: `Choose an id from GET /v1/integrations/${integration.id}/repositories.`,
          },
        ]);
      }
      return insertRetry(tx, {
        id,
        organizationId,
        integrationId: integration.id,
        filter,
        startedByKey: apiKeyId,
        startedByUser: actingUser,
      });
    });
    const run = { organizationId, integrationId: integration.id, retryId: id, name: integration.name };
    try {
      await orchestrator.startQuarantineRetry(run);
    } catch (error) {
      if (isNew && neverBegan(error))
        await database.transaction(organizationId, (tx) => deletePendingRetry(tx, id));
      throw error;
    }
    const row = await database.transaction(organizationId, (tx) => readRetry(tx, id));
    if (row === null) throw notFound('retry');
    return c.json(presentRetry(row), 202, { Location: `/v1/quarantine-retries/${id}` });
  });
}
