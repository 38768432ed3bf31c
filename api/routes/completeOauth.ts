import type { ApiApp } from '../dependencies.ts';
import { completeFlow } from '../oauth/complete.ts';
import { completionInvalid } from '../oauth/findings.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { checkPath, checkSchema, presentCheck } from '../schemas/check.ts';
import { completeOauthBody } from '../schemas/oauth.ts';
import { idParam } from '../schemas/shared.ts';
import { repeated } from '../repeated.ts';
import { actorOf, integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/oauth/complete',
  operationId: 'completeOauth',
  summary: 'Complete a connection that came back from the browser',
  description:
    'Send it in the session of the person who started: only then is the code exchanged, so a link sent to somebody else connects nothing.',
  tags: ['Connecting'],
  role: 'manager',
  request: {
    params: idParam,
    body: jsonBody(completeOauthBody),
  },
  responses: {
    200: answer(checkSchema, 'The report of the check, whatever its verdict.'),
    202: answer(checkSchema, 'The check still runs; its report will be at Location.', locationHeader),
  },
});

export function addCompleteOauth(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const check = await completeFlow(c.var.dependencies, integration, {
      completion: c.req.valid('json').completion,
      actorOf: () => actorOf(c.var.principal),
      signal: c.req.raw.signal,
      repeated: repeated(c.var, 'completeOauth'),
    });
    if (check === null) throw completionInvalid();
    return check.state === 'done'
      ? c.json(presentCheck(check), 200)
      : c.json(presentCheck(check), 202, { Location: checkPath(check) });
  });
}
