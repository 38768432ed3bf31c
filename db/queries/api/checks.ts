import { desc, eq, sql } from 'drizzle-orm';
import type { CredentialKind, Verdict } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { connectionChecks, credentials, integrations } from '../../schema/index.ts';

export interface CheckRow {
  id: string;
  integrationId: string | null;
  credentialKind: CredentialKind;
  state: 'running' | 'done';
  verdict: Verdict | null;
  report: Record<string, unknown> | null;
  createdAt: string;
  finishedAt: string | null;
}

const COLUMNS = {
  id: connectionChecks.id,
  integrationId: connectionChecks.integrationId,
  credentialKind: connectionChecks.credentialKind,
  state: connectionChecks.state,
  verdict: connectionChecks.verdict,
  report: connectionChecks.report,
  createdAt: connectionChecks.createdAt,
  finishedAt: connectionChecks.finishedAt,
};

export async function readCheck(tx: Transaction, id: string): Promise<CheckRow | null> {
  const [row] = await tx.select(COLUMNS).from(connectionChecks).where(eq(connectionChecks.id, id));
  return row ?? null;
}

/** Whether a draft still waits for the outcome of its check. */
export async function isChecking(tx: Transaction, integrationId: string): Promise<boolean> {
  const [row] = await tx
    .select({ state: integrations.state })
    .from(integrations)
    .where(eq(integrations.id, integrationId));
  return row?.state === 'checking';
}

/** The check that began last. */
export async function readLastCheck(tx: Transaction, integrationId: string): Promise<CheckRow | null> {
  const [row] = await tx
    .select(COLUMNS)
    .from(connectionChecks)
    .where(eq(connectionChecks.integrationId, integrationId))
    .orderBy(desc(connectionChecks.createdAt), desc(connectionChecks.id))
    .limit(1);
  return row ?? null;
}

export async function insertCheck(
  tx: Transaction,
  row: { id: string; organizationId: string; integrationId: string | null; credentialKind: CredentialKind },
): Promise<void> {
  await tx.insert(connectionChecks).values(row);
}

export interface NewCredential {
  id: string;
  organizationId: string;
  integrationId: string | null;
  /** the integration, or the check that the secret waits with */
  ownerId: string;
  kind: CredentialKind;
  sealed: Uint8Array;
  keyId: string;
  fields: Record<string, string>;
  expiresOn: string | null;
}

/** A sealed secret that waits for its check; it is removed after 15 minutes unless a check adopts it. */
export async function insertCandidate(tx: Transaction, row: NewCredential): Promise<void> {
  await tx
    .insert(credentials)
    .values({ ...row, discardAfter: sql`clock_timestamp() + interval '15 minutes'` });
}
