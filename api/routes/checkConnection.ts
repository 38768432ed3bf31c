import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { checkPath, checkSchema, presentCheck } from '../schemas/check.ts';
import { credentialBody } from '../schemas/credential.ts';
import { storeCandidate } from '../storeCandidate.ts';
import { waitForCheck } from '../waitForCheck.ts';

const route = operation({
  method: 'post',
  path: '/v1/connection-checks',
  operationId: 'checkConnection',
  summary: 'Test a credential',
  description:
    'The “Test connection” button: creates no integration. The sealed secret is removed when the check ends, at the latest after 15 minutes.',
  tags: ['Connecting'],
  role: 'manager',
  request: { body: jsonBody(credentialBody) },
  responses: {
    200: answer(checkSchema, 'The report, whatever its verdict.'),
    202: answer(checkSchema, 'The check still runs; its report will be at Location.', locationHeader),
  },
});

export function addCheckConnection(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { checkId, credentialId } = await storeCandidate(c.var, null, c.req.valid('json'));
    const { organizationId } = c.var.principal;
    await c.var.dependencies.orchestrator.startConnectionCheck({ organizationId, checkId, credentialId });
    const check = await waitForCheck(c.var, checkId, c.req.raw.signal);
    return check.state === 'done'
      ? c.json(presentCheck(check), 200)
      : c.json(presentCheck(check), 202, { Location: checkPath(check) });
  });
}
