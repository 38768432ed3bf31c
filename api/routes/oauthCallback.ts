import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { denyFlow, findFlowByState, readStartedFlow, returnFlow } from '../../db/queries/api/oauthFlows.ts';
import type { Finding } from '../../workflows/words.ts';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { DENIED, STATE_INVALID } from '../oauth/findings.ts';
import { showPage } from '../oauth/pages.ts';
import { oneTimeToken, tokenHash } from '../oauth/tokens.ts';
import { operation } from '../operation.ts';

// Bitbucket may add parameters of its own. What is malformed is as good as missing: a person reads the answer.
const parameter = (longest: number) =>
  z.string().max(longest).optional().catch(undefined).openapi({ type: 'string' });
const query = z.object({
  state: parameter(500),
  code: parameter(4_000),
  error: parameter(500),
  error_description: parameter(2_000),
  iss: parameter(500).openapi({ type: 'string', description: 'RFC 9207; refused when it is another host' }),
});

const route = operation({
  method: 'get',
  path: '/v1/oauth/callback',
  operationId: 'oauthCallback',
  summary: 'Where Bitbucket sends the browser back to',
  description:
    'Exchanges nothing: keeps the sealed code and sends the browser on with a one-time `completion`. Only who completes the flow connects it.',
  tags: ['Connecting'],
  role: null,
  request: { query },
  responses: {
    303: {
      description: 'On to `return_url`, or to the page that asks before it connects.',
      headers: z.object({ Location: z.string() }),
    },
  },
  problems: [503],
  page: true,
});

export function addOauthCallback(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { state, code, error, iss } = c.req.valid('query');
    const { database, sealer, bitbucket, publicUrl } = c.var.dependencies;
    if (state === undefined || (iss !== undefined && iss !== bitbucket.webUrl)) return refusedPage(c);
    const found = await findFlowByState(database, tokenHash(state));
    if (found === null) return refusedPage(c);
    const { organizationId, id } = found;
    const flow = await database.transaction(organizationId, (tx) => readStartedFlow(tx, id));
    if (flow === null) return refusedPage(c);
    const back = new URL(flow.returnUrl ?? `${publicUrl}/v1/oauth/connect`);
    back.searchParams.set('integration_id', flow.integrationId);

    if (code === undefined) {
      const finding = error === 'access_denied' || error === undefined ? DENIED : refusedBy(error);
      if (!(await database.transaction(organizationId, (tx) => denyFlow(tx, { id, error: finding })))) {
        return refusedPage(c);
      }
      back.searchParams.set('error', finding.code);
      return c.redirect(back.href, 303);
    }
    const completion = oneTimeToken();
    const { keyId, sealed } = await sealer.seal(code, {
      organizationId,
      ownerId: flow.integrationId,
      field: 'oauth_code',
    });
    const returned = await database.transaction(organizationId, (tx) =>
      returnFlow(tx, { id, sealedCode: sealed, keyId, completionHash: tokenHash(completion) }),
    );
    if (!returned) return refusedPage(c);
    back.searchParams.set('completion', completion);
    return c.redirect(back.href, 303);
  });
}

const refusedPage = (c: Context<ApiEnv>) =>
  showPage(c, {
    status: 400,
    title: 'This link does not connect anything',
    text: [STATE_INVALID.message],
    remedy: STATE_INVALID.remedy,
  });

/** Bitbucket's own error code, as far as it looks like one: nothing from a URL is repeated otherwise. */
const refusedBy = (error: string): Finding => ({
  ...DENIED,
  message: `Bitbucket refused to connect${/^[a-z_]{1,60}$/.test(error) ? ` (${error})` : ''}.`,
});
