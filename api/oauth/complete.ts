import { v7 as uuid } from 'uuid';
import { type CheckRow, insertCheck } from '../../db/queries/api/checks.ts';
import {
  claimCompletion,
  type ClaimedCompletion,
  giveBackCompletion,
  spendCompletion,
} from '../../db/queries/api/oauthFlows.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import * as messages from '../../workflows/messages.ts';
import type { Actor } from '../../workflows/messages.ts';
import type { IntegrationRow } from '../../db/queries/api/integrations.ts';
import type { ApiDependencies } from '../dependencies.ts';
import { refuse } from '../refuse.ts';
import type { Repeated } from '../repeated.ts';
import { snapshotOf } from '../snapshot.ts';
import { waitForCheck } from '../waitForCheck.ts';
import { tokenHash } from './tokens.ts';

/**
 * Lets the worker exchange the code of a completion and check the connection, and spends the completion with the answer. A
 * request that fails gives it back, and one whose api died loses it after 30 s: the same again then continues the same
 * check. null: the completion is none of this integration that waits; then nothing was asked of Bitbucket.
 */
export async function completeFlow(
  dependencies: ApiDependencies,
  integration: IntegrationRow,
  input: {
    completion: string;
    actorOf: (flow: ClaimedCompletion) => Actor;
    signal: AbortSignal;
    repeated?: Repeated | undefined;
  },
): Promise<CheckRow | null> {
  const { organizationId } = integration;
  const { database, orchestrator } = dependencies;
  // Before anything is claimed.
  refuse(refuseByState('completeOauth', integration.state));
  const flow = await claim(database, integration, tokenHash(input.completion));
  if (flow === null) return null;
  const { id: oauthFlowId, checkId } = flow;
  try {
    const command = { checkId, oauthFlowId, actor: input.actorOf(flow) };
    await orchestrator.command(messages.completeOauth, snapshotOf(integration), command, input.repeated);
    const check = await waitForCheck({ dependencies, principal: { organizationId } }, checkId, input.signal);
    await database.transaction(organizationId, (tx) => spendCompletion(tx, oauthFlowId));
    return check;
  } catch (error) {
    // Where Postgres is away too, the claim ends by itself.
    await database.transaction(organizationId, (tx) => giveBackCompletion(tx, oauthFlowId)).catch(() => {});
    throw error;
  }
}

function claim(
  database: ApiDependencies['database'],
  { organizationId, id: integrationId }: IntegrationRow,
  completionHash: Uint8Array,
): Promise<ClaimedCompletion | null> {
  const checkId = uuid();
  return database.transaction(organizationId, async (tx) => {
    const claimed = await claimCompletion(tx, { completionHash, integrationId, checkId });
    if (claimed?.checkId === checkId) {
      await insertCheck(tx, { id: checkId, organizationId, integrationId, credentialKind: 'oauth' });
    }
    return claimed;
  });
}
