import { isDraft } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import { requireConfirm } from '../confirm.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, locationHeader, operation } from '../operation.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { confirmQuery } from '../schemas/removal.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'delete',
  path: '/v1/integrations/{id}',
  operationId: 'deleteIntegration',
  summary: 'Delete an integration with its data',
  description:
    'A draft goes at once, with its secrets. A created integration must be confirmed by its name: its imports are stopped, its secrets removed and its data purged, which `GET /v1/integrations/{id}` shows until it answers 404. Repositories that another integration of the organization sees are handed over to it. The grant or token at Bitbucket stays until somebody revokes it there. A request that is sent again may be answered 404: then it is gone.',
  tags: ['Integrations'],
  role: 'admin',
  request: { params: idParam, query: confirmQuery },
  responses: {
    202: answer(
      integrationSchema,
      'It is being removed; `removal` of Location says how far.',
      locationHeader,
    ),
    204: { description: 'The draft and its secrets are gone.' },
  },
  problems: [409, 422],
});

export function addDeleteIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const integration = await integrationOrNotFound(c.var, id);
    const actor = actorOf(c.var.principal);
    if (isDraft(integration.state)) {
      await commandIntegration(c.var, messages.deleteDraft, integration, { actor });
      return c.body(null, 204);
    }
    const { confirm } = c.req.valid('query');
    requireConfirm(confirm, integration.name ?? '', 'integration');
    const { state } = await commandIntegration(c.var, messages.disconnect, integration, {
      confirm,
      actor,
    });
    return c.json(presentIntegration({ ...integration, state, reason: null }), 202, {
      Location: `/v1/integrations/${id}`,
    });
  });
}
