import { z } from '@hono/zod-openapi';
import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { readIntegrationDetail } from '../integrationDetail.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { integrationDetailSchema } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/vanished/keep',
  operationId: 'keepVanished',
  summary: 'Say that what vanished is to be left as it is',
  description:
    'The repositories that `vanished` of the integration asks about stay as they are, and nobody is asked about them again until they were seen. Where nothing is asked nothing changes.',
  tags: ['Discovery'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({}), false) },
  responses: { 200: answer(integrationDetailSchema, 'They stay as they are.') },
});

export function addKeepVanished(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    await commandIntegration(c.var, messages.settleVanished, integration, {
      decision: 'keep',
      actor: actorOf(c.var.principal),
    });
    return c.json(await readIntegrationDetail(c.var, integration.id), 200);
  });
}
