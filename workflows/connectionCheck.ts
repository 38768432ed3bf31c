import {
  CancellationScope,
  isCancellation,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { readFailure } from './failures.ts';
import { CHECK_INTERRUPTED } from './findings.ts';
import type { ConnectionCheckInput, ConnectionCheckResult } from './inputs.ts';
import { bitbucketRows, codeExchange, connectionCheckTries } from './policies.ts';
import { ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import type { Finding } from './words.ts';

/**
 * Tests one credential: who it is, what it allows. Id: `connection-check/{checkId}`.
 * Started by the integration, or by the api for a credential that belongs to none.
 *
 *  1. OAuth: exchange the sealed code for tokens. A denied or spent code ends the check with its finding.
 *  2. Ask Bitbucket; the report is stored in the check's row.
 *  3. Whatever happened, the row has an outcome, and a secret that waited for this check only is removed.
 *
 * All of it is bounded to about ten minutes, so that no secret waits longer than its 15.
 */
export async function connectionCheck(input: ConnectionCheckInput): Promise<ConnectionCheckResult> {
  const { organizationId, integrationId, checkId } = input;
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: STAGE, value: 'checking' },
  ]);
  setCurrentDetails('Checks a credential: who it is, which scopes it has, which services it allows.');
  try {
    const { credentialId, finding } = await credentialOf(input);
    if (finding !== null) {
      await endWith(input, finding);
      return { verdict: 'failed', allowedServices: [], credentialId };
    }
    const outcome = await connectionCheckTries().checkConnection.executeWithOptions(
      { summary: 'ask Bitbucket who it is and what it may' },
      [{ organizationId, integrationId, checkId, credentialId }],
    );
    setCurrentDetails(`Verdict: ${outcome.verdict}. The report is in the check's row.`);
    return { ...outcome, credentialId };
  } catch (error) {
    const finding = isCancellation(error) ? CHECK_INTERRUPTED : readFailure(error).finding;
    await CancellationScope.nonCancellable(() => endWith(input, finding));
    if (isCancellation(error)) throw error;
    return { verdict: 'failed', allowedServices: [], credentialId: input.credentialId };
  } finally {
    if (integrationId === null) {
      await CancellationScope.nonCancellable(() =>
        bitbucketRows().discardCheckSecret.executeWithOptions(
          { summary: 'remove the secret of this check' },
          [{ organizationId, checkId }],
        ),
      );
    }
  }
}

/** Step 1. */
async function credentialOf(
  input: ConnectionCheckInput,
): Promise<{ credentialId: string; finding: null } | { credentialId: null; finding: Finding }> {
  const { organizationId, integrationId, checkId, credentialId, oauthFlowId } = input;
  if (credentialId !== null) return { credentialId, finding: null };
  if (integrationId === null || oauthFlowId === null)
    return { credentialId: null, finding: CHECK_INTERRUPTED };
  const exchanged = await codeExchange().exchangeOauthCode.executeWithOptions(
    { summary: 'exchange the code of the OAuth flow for tokens' },
    [{ organizationId, integrationId, oauthFlowId, checkId }],
  );
  return 'finding' in exchanged
    ? { credentialId: null, finding: exchanged.finding }
    : { credentialId: exchanged.credentialId, finding: null };
}

async function endWith({ organizationId, checkId }: ConnectionCheckInput, finding: Finding): Promise<void> {
  setCurrentDetails(`Verdict: failed (${finding.code}). The report is in the check's row.`);
  await bitbucketRows().failCheck.executeWithOptions({ summary: `end the check: ${finding.code}` }, [
    { organizationId, checkId, finding },
  ]);
}
