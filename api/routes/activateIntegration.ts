import { z } from '@hono/zod-openapi';
import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { commitSource, integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { nameField } from '../schemas/name.ts';
import { idParam, service } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const body = z
  .strictObject({
    name: nameField,
    services: z
      .array(service)
      .min(1, 'No service is chosen.')
      .optional()
      .meta({ description: 'left out: all that the connection check allows' }),
    commit_source: commitSource.default('git'),
  })
  .openapi('CreateIntegration');

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/create',
  operationId: 'activateIntegration',
  summary: 'Create the connected integration: name and services',
  description: 'From here on it is active: it discovers what it sees, and imports can be started.',
  tags: ['Integrations'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(body) },
  responses: {
    200: answer(integrationSchema, 'The integration, active; its links lead to repositories and imports.'),
  },
});

export function addActivateIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { name, services, commit_source: source } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await commandIntegration(c.var, messages.create, integration, {
      name,
      services: services === undefined ? null : [...new Set(services)],
      commitSource: source,
      actor: actorOf(c.var.principal),
    });
    return c.json(presentIntegration(await integrationOrNotFound(c.var, integration.id)), 200);
  });
}
