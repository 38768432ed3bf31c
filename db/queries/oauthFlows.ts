import { sql } from 'drizzle-orm';
import type { Finding } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

export interface ClaimedFlow {
  sealed_code: Uint8Array;
  sealed_verifier: Uint8Array;
  key_id: string;
  redirect_uri: string;
}

interface FlowKey {
  oauthFlowId: string;
  integrationId: string;
  checkId: string;
}

/**
 * Makes one check the only one that exchanges the flow's code, in one statement. The same check may claim again: its
 * worker may have died before the code was sent. undefined: spent, expired, denied, of another integration, or
 * claimed by another check.
 */
export async function claimFlow(tx: Transaction, key: FlowKey): Promise<ClaimedFlow | undefined> {
  const rows = await tx.execute<ClaimedFlow & Record<string, unknown>>(sql`
    update oauth_flows set state = 'completing', check_id = ${key.checkId}
    where id = ${key.oauthFlowId} and integration_id = ${key.integrationId}
      and expires_at > clock_timestamp()
      and sealed_code is not null and sealed_verifier is not null
      and (state = 'returned' or (state = 'completing' and check_id = ${key.checkId}))
    returning sealed_code, sealed_verifier, key_id, redirect_uri`);
  return [...rows][0];
}

/** Whether this very check has completed the flow already (its answer was lost). */
export async function completedBy(tx: Transaction, key: FlowKey): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from oauth_flows
    where id = ${key.oauthFlowId} and integration_id = ${key.integrationId}
      and state = 'completed' and check_id = ${key.checkId}`);
  return rows.length === 1;
}

/** Ends a flow; code and verifier are of no more use to anybody. */
export async function endFlow(
  tx: Transaction,
  flow: { oauthFlowId: string; checkId: string; outcome: 'completed' | 'failed'; error: Finding | null },
): Promise<void> {
  await tx.execute(sql`
    update oauth_flows set state = ${flow.outcome}, sealed_code = null, sealed_verifier = null,
      error = ${flow.error === null ? null : JSON.stringify(flow.error)}::jsonb
    where id = ${flow.oauthFlowId} and state = 'completing' and check_id = ${flow.checkId}`);
}
