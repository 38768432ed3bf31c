import * as messages from '../../workflows/messages.ts';
import { refuseByState, refuseName } from '../../workflows/integration/rules.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { refuse } from '../refuse.ts';
import { refuseServices } from '../refuseServices.ts';
import { integrationSchema, presentIntegration, updateIntegrationBody } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound, snapshotOf } from '../snapshot.ts';

const route = operation({
  method: 'patch',
  path: '/v1/integrations/{id}',
  operationId: 'updateIntegration',
  summary: 'Rename an integration, or switch its services on and off',
  description:
    'A service that is switched off is not fetched any more, from now on; what is stored stays. One that is switched on brings in what was missed, by an import that the list of imports shows. `services` are all that are to be on.',
  tags: ['Integrations'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(updateIntegrationBody) },
  responses: { 200: answer(integrationSchema, 'The integration as it is now.') },
  problems: [409],
});

export function addUpdateIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { name, services } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const { orchestrator } = c.var.dependencies;
    const actor = actorOf(c.var.principal);
    // Both are judged before either is done.
    if (name !== undefined) refuse(refuseByState('rename', integration.state) ?? refuseName(name));
    if (services !== undefined) await refuseServices(c.var, integration, services);
    if (name !== undefined) {
      await orchestrator.command(messages.rename, snapshotOf(integration), { name, actor });
    }
    if (services !== undefined) {
      const now = await integrationOrNotFound(c.var, integration.id);
      await orchestrator.command(messages.changeServices, snapshotOf(now), { services, actor });
    }
    return c.json(presentIntegration(await integrationOrNotFound(c.var, integration.id)), 200);
  });
}
