import { z } from '@hono/zod-openapi';
import { insertIntegration, readIntegration } from '../../db/queries/api/integrations.ts';
import type { ApiApp } from '../dependencies.ts';
import { keyedId } from '../keyedId.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations',
  operationId: 'createIntegration',
  summary: 'Begin an integration',
  description: 'Makes a draft that waits for a credential. Its name and services come with create.',
  tags: ['Integrations'],
  role: 'manager',
  request: { body: jsonBody(z.strictObject({}), false) },
  responses: {
    201: answer(integrationSchema, 'The draft; its links say how to connect it.', locationHeader),
  },
});

export function addCreateIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { dependencies, principal } = c.var;
    const { organizationId, apiKeyId, actingUser } = principal;
    const { database } = dependencies;
    const keyed = { database, organizationId, claim: c.var.claim };
    const id = await keyedId(keyed, 'integrations', { integration: 'new' });
    const row = await database.transaction(organizationId, async (tx) => {
      await insertIntegration(tx, { id, organizationId, createdByKey: apiKeyId, createdByUser: actingUser });
      return readIntegration(tx, id);
    });
    if (row === null) throw notFound('integration');
    return c.json(presentIntegration(row), 201, { Location: `/v1/integrations/${id}` });
  });
}
