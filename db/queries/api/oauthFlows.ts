import { type SQL, sql } from 'drizzle-orm';
import type { Finding } from '../../../workflows/words.ts';
import type { Database, Transaction } from '../../client.ts';
import { oauthFlows } from '../../schema/index.ts';

/** Flows are found by hashes only: `state` and completion are never stored. */

interface FlowIds {
  organizationId: string;
  id: string;
}

type Ids = { organization_id: string; id: string };

const first = (rows: Ids[]): FlowIds | null =>
  rows[0] === undefined ? null : { organizationId: rows[0].organization_id, id: rows[0].id };

export const findFlowByState = async (database: Database, hash: Uint8Array): Promise<FlowIds | null> =>
  first(
    await database.withoutTenant((tx) => tx.execute<Ids>(sql`select * from lookup_oauth_state(${hash})`)),
  );

export const findFlowByCompletion = async (database: Database, hash: Uint8Array): Promise<FlowIds | null> =>
  first(
    await database.withoutTenant((tx) =>
      tx.execute<Ids>(sql`select * from lookup_oauth_completion(${hash})`),
    ),
  );

/** Ten minutes from now on the browser must be back and the connection completed. */
export async function insertFlow(
  tx: Transaction,
  flow: {
    id: string;
    organizationId: string;
    integrationId: string;
    stateHash: Uint8Array;
    sealedVerifier: Uint8Array;
    keyId: string;
    redirectUri: string;
    returnUrl: string | null;
    startedByKey: string;
    startedByUser: string | null;
  },
): Promise<string> {
  const [row] = await tx
    .insert(oauthFlows)
    .values({ ...flow, expiresAt: sql`clock_timestamp() + interval '10 minutes'` })
    .returning({ expiresAt: oauthFlows.expiresAt });
  if (row === undefined) throw new Error('Postgres stored no OAuth flow.');
  return row.expiresAt;
}

export interface StartedFlow extends Record<string, unknown> {
  integrationId: string;
  returnUrl: string | null;
  keyId: string;
}

/** A flow that waits for its browser. null: it was here before, or its time is over. */
export async function readStartedFlow(tx: Transaction, id: string): Promise<StartedFlow | null> {
  const [row] = await tx.execute<StartedFlow>(sql`
    select integration_id as "integrationId", return_url as "returnUrl", key_id as "keyId" from oauth_flows
    where id = ${id} and state = 'started' and expires_at > clock_timestamp()`);
  return row ?? null;
}

/**
 * Takes the code of a browser that came back, once: of many at the same moment one gets true. Code and verifier must be
 * sealed with the same key, since the row knows one.
 */
export async function returnFlow(
  tx: Transaction,
  flow: { id: string; sealedCode: Uint8Array; keyId: string; completionHash: Uint8Array },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update oauth_flows set state = 'returned', sealed_code = ${flow.sealedCode}, completion_hash = ${flow.completionHash}
    where id = ${flow.id} and state = 'started' and expires_at > clock_timestamp() and key_id = ${flow.keyId}
    returning id`);
  return rows.length > 0;
}

/** The person said no, or Bitbucket refused. */
export async function denyFlow(tx: Transaction, flow: { id: string; error: Finding }): Promise<boolean> {
  const rows = await tx.execute(sql`
    update oauth_flows set state = 'denied', error = ${JSON.stringify(flow.error)}::jsonb
    where id = ${flow.id} and state = 'started' and expires_at > clock_timestamp() returning id`);
  return rows.length > 0;
}

/** Longer than a request lasts: an api that claimed a completion so long ago died with it. */
const CLAIM_SECONDS = 30;

const nobodyCompletes = (of: SQL): SQL => sql`(${of}claimed_at is null
  or ${of}claimed_at < clock_timestamp() - make_interval(secs => ${CLAIM_SECONDS}))`;

export interface ReturnedFlow extends Record<string, unknown> {
  id: string;
  integrationId: string;
  integrationName: string | null;
  organizationName: string;
  /** for whom the click acts */
  startedByKey: string;
}

/** For the page that asks before it connects; consumes nothing. */
export async function readReturnedFlow(
  tx: Transaction,
  completionHash: Uint8Array,
): Promise<ReturnedFlow | null> {
  const [row] = await tx.execute<ReturnedFlow>(sql`
    select f.id, f.integration_id as "integrationId", i.name as "integrationName", o.name as "organizationName",
      f.started_by_key as "startedByKey"
    from oauth_flows f
    join integrations i on i.organization_id = f.organization_id and i.id = f.integration_id
    join organizations o on o.id = f.organization_id
    where f.completion_hash = ${completionHash} and f.expires_at > clock_timestamp() and ${nobodyCompletes(sql`f.`)}`);
  return row ?? null;
}

export interface ClaimedCompletion extends Record<string, unknown> {
  id: string;
  /** the check of the first claim: whoever asks again continues it */
  checkId: string;
  startedByKey: string;
  startedByUser: string | null;
}

/**
 * Takes the one-time completion for a request: of many at the same moment one gets the flow. null: it is spent, expired,
 * of another integration, or another request has it.
 */
export async function claimCompletion(
  tx: Transaction,
  wanted: { completionHash: Uint8Array; integrationId: string; checkId: string },
): Promise<ClaimedCompletion | null> {
  const [row] = await tx.execute<ClaimedCompletion>(sql`
    update oauth_flows set check_id = coalesce(check_id, ${wanted.checkId}), claimed_at = clock_timestamp()
    where completion_hash = ${wanted.completionHash} and integration_id = ${wanted.integrationId}
      and expires_at > clock_timestamp() and ${nobodyCompletes(sql``)}
    returning id, check_id as "checkId", started_by_key as "startedByKey", started_by_user as "startedByUser"`);
  return row ?? null;
}

/** The request was answered with the check: its completion is of no more use to anybody. */
export async function spendCompletion(tx: Transaction, flowId: string): Promise<void> {
  await tx.execute(sql`update oauth_flows set completion_hash = null where id = ${flowId}`);
}

/** The request failed: the same may be asked again. */
export async function giveBackCompletion(tx: Transaction, flowId: string): Promise<void> {
  await tx.execute(sql`update oauth_flows set claimed_at = null where id = ${flowId}`);
}
