import type { ApiApp } from '../dependencies.ts';
import { readIntegrationDetail } from '../integrationDetail.ts';
import { answer, operation } from '../operation.ts';
import { integrationDetailSchema } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}',
  operationId: 'getIntegration',
  summary: 'Read an integration',
  description: 'State and its reason, health, account, services, what it sees, and what can be done next.',
  tags: ['Integrations'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(integrationDetailSchema, 'The integration.') },
});

export function addGetIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => c.json(await readIntegrationDetail(c.var, c.req.valid('param').id), 200));
}
