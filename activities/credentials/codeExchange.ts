import type { Database } from '../../db/client.ts';
import { insertOauthCredential } from '../../db/queries/credentials.ts';
import { claimFlow, completedBy, endFlow, type ClaimedFlow } from '../../db/queries/oauthFlows.ts';
import { beyondAttempt } from '../../platform/attempt.ts';
import type { Opener } from '../../platform/secrets/open.ts';
import type { Sealer } from '../../platform/secrets/seal.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import type { Finding } from '../../workflows/words.ts';
import { consumerRefused } from '../bitbucket/consumerTrouble.ts';
import { GrantRefused, type TokenEndpoint, type TokenPair } from '../bitbucket/tokenEndpoint.ts';
import { usableSeconds } from './oauthRefresh.ts';
import { oauthSecretText } from './sealedSecrets.ts';
import { untilStored } from './untilStored.ts';

export interface ReturnedFlow {
  organizationId: string;
  integrationId: string;
  oauthFlowId: string;
  checkId: string;
}

export interface CodeExchangeOptions {
  database: Database;
  opener: Opener;
  sealer: Sealer;
  /** undefined: this installation has no OAuth consumer */
  tokens: TokenEndpoint | undefined;
}

/** The grant itself is no more: another code is needed. Any other refusal speaks of the consumer. */
const SPENT = new Set(['invalid_grant', 'access_denied']);

/**
 * Exchanges the code of a returned flow for tokens, once: whoever claims the flow's row first makes the only call.
 * The credential has the flow's id, so that a run after a lost answer finds what the first one stored.
 * Throws the token endpoint's errors where there was no clear answer; then the same check may try again.
 */
export function createCodeExchange(options: CodeExchangeOptions) {
  const { database, opener, sealer, tokens } = options;

  async function openField(flow: ReturnedFlow, keyId: string, sealed: Uint8Array, field: string) {
    const context = { organizationId: flow.organizationId, ownerId: flow.integrationId, field };
    return new Secret(new TextDecoder().decode(await opener.open({ keyId, sealed }, context)));
  }

  async function callEndpoint(flow: ReturnedFlow, claimed: ClaimedFlow): Promise<TokenPair | Finding> {
    if (tokens === undefined) return notConfigured();
    const { key_id: keyId, redirect_uri: redirectUri } = claimed;
    const code = await openField(flow, keyId, claimed.sealed_code, 'oauth_code');
    const verifier = await openField(flow, keyId, claimed.sealed_verifier, 'oauth_verifier');
    try {
      return await tokens.exchange({ code, verifier, redirectUri });
    } catch (error) {
      if (!(error instanceof GrantRefused)) throw error;
      return SPENT.has(error.error) ? spentFlow() : consumerRefused(error.error);
    }
  }

  async function store(flow: ReturnedFlow, pair: TokenPair): Promise<void> {
    const { organizationId, integrationId, oauthFlowId: id } = flow;
    const context = { organizationId, ownerId: integrationId, field: 'credential' };
    const sealed = await sealer.seal(oauthSecretText(pair), context);
    const accessSeconds = usableSeconds(pair.expiresInSeconds);
    await database.transaction(organizationId, async (tx) => {
      await insertOauthCredential(tx, {
        ...sealed,
        id,
        organizationId,
        integrationId,
        accessSeconds,
        scopes: pair.scopes,
      });
      await endFlow(tx, { ...flow, outcome: 'completed', error: null });
    });
  }

  return async function exchangeCode(
    flow: ReturnedFlow,
  ): Promise<{ credentialId: string } | { finding: Finding }> {
    const { organizationId, oauthFlowId } = flow;
    const claimed = await database.transaction(organizationId, (tx) => claimFlow(tx, flow));
    const outcome = claimed === undefined ? spentFlow() : await callEndpoint(flow, claimed);
    if (!('code' in outcome)) {
      await beyondAttempt(() => untilStored(() => store(flow, outcome)));
      return { credentialId: oauthFlowId };
    }
    // An earlier run of this activity may have got through while this one was refused.
    const done = await database.transaction(organizationId, async (tx) => {
      if (await completedBy(tx, flow)) return true;
      await endFlow(tx, { ...flow, outcome: 'failed', error: outcome });
      return false;
    });
    return done ? { credentialId: oauthFlowId } : { finding: outcome };
  };
}

const spentFlow = (): Finding => ({
  code: 'oauth_state_invalid',
  message: 'This connection with Bitbucket was already completed, has expired, or was not approved.',
  remedy: 'Start again with Connect.',
});

const notConfigured = (): Finding => ({
  code: 'oauth_not_configured',
  message: 'This installation has no OAuth consumer, so nobody can connect with OAuth.',
  remedy:
    'The operator must set BITBUCKET_OAUTH_KEY and BITBUCKET_OAUTH_SECRET; or connect with an API token.',
});
