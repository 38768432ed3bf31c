import { v7 as uuid } from 'uuid';
import { type CheckRow, insertCheck } from '../../db/queries/api/checks.ts';
import { type SpentCompletion, spendCompletion } from '../../db/queries/api/oauthFlows.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import type { Actor } from '../../workflows/messages.ts';
import type { IntegrationRow } from '../../db/queries/api/integrations.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { refuse } from '../refuse.ts';
import { snapshotOf } from '../snapshot.ts';
import { waitForCheck } from '../waitForCheck.ts';
import { tokenHash } from './tokens.ts';

/**
 * Spends a completion and lets the worker exchange the code and check the connection. null: the completion is none of
 * this integration that waits; then nothing was asked of Bitbucket.
 */
export async function completeFlow(
  dependencies: ApiDependencies,
  integration: IntegrationRow,
  input: { completion: string; actorOf: (flow: SpentCompletion) => Actor; signal: AbortSignal },
): Promise<CheckRow | null> {
  const { organizationId, id: integrationId } = integration;
  // Before anything is spent.
  refuse(refuseByState('completeOauth', integration.state));
  const checkId = uuid();
  const flow = await dependencies.database.transaction(organizationId, async (tx) => {
    const completionHash = tokenHash(input.completion);
    const spent = await spendCompletion(tx, { completionHash, integrationId, checkId });
    if (spent !== null) {
      await insertCheck(tx, { id: checkId, organizationId, integrationId, credentialKind: 'oauth' });
    }
    return spent;
  });
  if (flow === null) return null;
  await dependencies.orchestrator.command(messages.completeOauth, snapshotOf(integration), {
    checkId,
    oauthFlowId: flow.id,
    actor: input.actorOf(flow),
  });
  return waitForCheck({ dependencies, principal: { organizationId } }, checkId, input.signal);
}
