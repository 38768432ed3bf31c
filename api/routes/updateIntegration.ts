import { excludeOwners } from '../../db/queries/api/autoImport.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { refuseByState, refuseName } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import { commandIntegration } from '../commandIntegration.ts';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { refuse } from '../refuse.ts';
import { refuseOwners } from '../refuseOwners.ts';
import { refuseServices } from '../refuseServices.ts';
import { integrationSchema, presentIntegration, updateIntegrationBody } from '../schemas/integration.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'patch',
  path: '/v1/integrations/{id}',
  operationId: 'updateIntegration',
  summary: 'Rename an integration, switch its services on and off, or leave owners out',
  description:
    'A service that is switched off is not fetched any more, from now on; what is stored stays. One that is switched on brings in what was missed, by an import that the list of imports shows. `services` are all that are to be on, `excluded_owners` all that are to be left out.',
  tags: ['Integrations'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(updateIntegrationBody) },
  responses: { 200: answer(integrationSchema, 'The integration as it is now.') },
  problems: [409],
});

export function addUpdateIntegration(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { name, services, excluded_owners: given } = c.req.valid('json');
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const actor = actorOf(c.var.principal);
    // As Postgres writes them.
    const owners = given?.map((id) => id.toLowerCase());
    // All are judged before any is done.
    if (name !== undefined) refuse(refuseByState('rename', integration.state) ?? refuseName(name));
    if (services !== undefined) await refuseServices(c.var, integration, services);
    if (owners !== undefined) await refuseOwners(c.var, integration, owners);
    if (name !== undefined) {
      await commandIntegration(c.var, messages.rename, integration, { name, actor });
    }
    if (services !== undefined) {
      const now = await integrationOrNotFound(c.var, integration.id);
      await commandIntegration(c.var, messages.changeServices, now, { services, actor });
    }
    if (owners !== undefined) {
      await leaveOut(c.var, integration.id, owners);
      // Auto-import rules may take what is no longer left out.
      const now = await integrationOrNotFound(c.var, integration.id);
      // Never joined: what it looks for may have changed since an earlier one.
      const { dependencies, principal } = c.var;
      await commandIntegration({ dependencies, principal }, messages.applyAutoImport, now, { actor });
    }
    return c.json(presentIntegration(await integrationOrNotFound(c.var, integration.id)), 200);
  });
}

/** Stores the excluded owners, with an entry in the audit trail and the feed where that changes anything. */
async function leaveOut(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  integrationId: string,
  ids: readonly string[],
): Promise<void> {
  const { organizationId } = principal;
  await dependencies.database.transaction(organizationId, async (tx) => {
    const details = await excludeOwners(tx, { integrationId, ids });
    if (details.on.length === 0 && details.off.length === 0) return;
    const actor = actorOf(principal);
    const action = 'excluded_owners_changed';
    await insertAuditEvent(tx, { organizationId, integrationId, action, actor, details });
  });
}
