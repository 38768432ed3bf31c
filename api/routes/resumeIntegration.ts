import { z } from '@hono/zod-openapi';
import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/resume',
  operationId: 'resumeIntegration',
  summary: 'Resume an integration',
  description:
    'What was under way goes on from its checkpoints. A pause of a single import stays: it is taken back by its own resume.',
  tags: ['Integrations'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({}), false) },
  responses: {
    202: answer(integrationSchema, 'The integration; what waited goes on.', locationHeader),
  },
});

export function addResumeIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await commandIntegration(c.var, messages.resume, integration, {
      actor: actorOf(c.var.principal),
    });
    const now = await integrationOrNotFound(c.var, integration.id);
    return c.json(presentIntegration(now), 202, { Location: `/v1/integrations/${integration.id}` });
  });
}
