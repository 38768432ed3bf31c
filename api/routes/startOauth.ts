import { v7 as uuid } from 'uuid';
import { insertFlow } from '../../db/queries/api/oauthFlows.ts';
import { readReturnUrls } from '../../db/queries/api/organizations.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import type { ApiApp, ApiEnv } from '../dependencies.ts';
import { instant } from '../instant.ts';
import { notConfigured } from '../oauth/findings.ts';
import { callbackUrl, oneTimeToken, pkcePair, tokenHash } from '../oauth/tokens.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { invalidRequest } from '../problem.ts';
import { refuse } from '../refuse.ts';
import { startedOauth, startOauthBody } from '../schemas/oauth.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/oauth',
  operationId: 'startOauth',
  summary: 'Connect in the browser with OAuth',
  description: 'The flow is single use, ends after 10 minutes, and belongs to this integration only.',
  tags: ['Connecting'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(startOauthBody, false) },
  responses: { 200: answer(startedOauth, 'Where to send the browser.') },
});

export function addStartOauth(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { dependencies, principal } = c.var;
    const { publicUrl, bitbucket, sealer, database } = dependencies;
    const { oauthKey, webUrl } = bitbucket;
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    if (oauthKey === undefined) throw notConfigured();
    refuse(refuseByState('completeOauth', integration.state));
    const returnUrl = await registered(c.var, c.req.valid('json').return_url);
    const state = oneTimeToken();
    const { verifier, challenge } = pkcePair();
    const redirectUri = callbackUrl(publicUrl);
    const { organizationId, apiKeyId, actingUser } = principal;
    const { keyId, sealed } = await sealer.seal(verifier, {
      organizationId,
      ownerId: integration.id,
      field: 'oauth_verifier',
    });
    const expiresAt = await database.transaction(organizationId, (tx) =>
      insertFlow(tx, {
        id: uuid(),
        organizationId,
        integrationId: integration.id,
        stateHash: tokenHash(state),
        sealedVerifier: sealed,
        keyId,
        redirectUri,
        returnUrl,
        startedByKey: apiKeyId,
        startedByUser: actingUser,
      }),
    );
    const url = new URL(`${webUrl}/site/oauth2/authorize`);
    url.search = new URLSearchParams({
      client_id: oauthKey,
      response_type: 'code',
      redirect_uri: redirectUri,
      state,
      code_challenge: challenge,
      code_challenge_method: 'S256',
    }).toString();
    return c.json({ authorize_url: url.href, expires_at: instant(expiresAt) }, 200);
  });
}

/** Exactly one of the organization's own URLs, character by character: never a redirect to anywhere else. */
async function registered(
  { dependencies, principal }: Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>,
  returnUrl: string | undefined,
): Promise<string | null> {
  if (returnUrl === undefined) return null;
  const { organizationId } = principal;
  const known = await dependencies.database.transaction(organizationId, (tx) =>
    readReturnUrls(tx, organizationId),
  );
  if (known.includes(returnUrl)) return returnUrl;
  throw invalidRequest(422, [
    {
      location: 'body.return_url',
      message: 'This URL is not registered for the organization.',
      fix: 'Give one of the registered URLs exactly; the operator adds one with npm run api-key -- return-url add.',
    },
  ]);
}
