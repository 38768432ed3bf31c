import * as messages from '../../workflows/messages.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { checkPath, checkSchema, presentCheck } from '../schemas/check.ts';
import { credentialBody } from '../schemas/credential.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf, integrationOrNotFound, snapshotOf } from '../snapshot.ts';
import { refuse } from '../refuse.ts';
import { storeCandidate } from '../storeCandidate.ts';
import { waitForCheck } from '../waitForCheck.ts';

const route = operation({
  method: 'put',
  path: '/v1/integrations/{id}/credential',
  operationId: 'submitCredential',
  summary: 'Submit or replace the credential',
  description:
    'The secret is sealed at once and checked. One that passes replaces the one before; one that fails changes nothing that runs.',
  tags: ['Connecting'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(credentialBody) },
  responses: {
    200: answer(checkSchema, 'The report of the check, whatever its verdict.'),
    202: answer(checkSchema, 'The check still runs; its report will be at Location.', locationHeader),
  },
  problems: [409],
});

export function addSubmitCredential(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    refuse(refuseByState('submitCredential', integration.state));
    const { checkId, credentialId, command } = await storeCandidate(
      c.var,
      integration.id,
      c.req.valid('json'),
    );
    await c.var.dependencies.orchestrator.command(
      messages.submitCredential,
      snapshotOf(integration),
      { checkId, credentialId, actor: actorOf(c.var.principal) },
      command,
    );
    const check = await waitForCheck(c.var, checkId, c.req.raw.signal);
    return check.state === 'done'
      ? c.json(presentCheck(check), 200)
      : c.json(presentCheck(check), 202, { Location: checkPath(check) });
  });
}
