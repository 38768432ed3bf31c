import * as messages from '../../workflows/messages.ts';
import { isDraft } from '../../workflows/integration/rules.ts';
import type { ApiApp } from '../dependencies.ts';
import { operation } from '../operation.ts';
import { Problem } from '../problem.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound, snapshotOf } from '../snapshot.ts';

const route = operation({
  method: 'delete',
  path: '/v1/integrations/{id}',
  operationId: 'deleteIntegration',
  summary: 'Delete a draft',
  description:
    'Removes an integration that was not created yet, at once, with its secrets. A created one cannot be deleted in this release: 409.',
  tags: ['Integrations'],
  role: 'admin',
  request: { params: idParam },
  responses: { 204: { description: 'The draft and its secrets are gone.' } },
  problems: [409],
});

export function addDeleteIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    if (!isDraft(integration.state)) {
      throw new Problem({
        status: 409,
        code: 'deletion_not_available',
        detail:
          'The integration is created. Deleting a created integration with its data is not in this release.',
        fix: 'Revoke its credential at Bitbucket to stop it; drafts can be deleted.',
      });
    }
    await c.var.dependencies.orchestrator.command(messages.deleteDraft, snapshotOf(integration), {
      actor: actorOf(c.var.principal),
    });
    return c.body(null, 204);
  });
}
