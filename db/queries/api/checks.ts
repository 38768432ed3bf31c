import { and, desc, eq, sql } from 'drizzle-orm';
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

/**
 * Whether the integration has still to take the outcome of this check: a draft that waits for it, or a credential that
 * passed and does not sign yet.
 */
export async function isOutcomeOpen(
  tx: Transaction,
  integrationId: string,
  check: Pick<CheckRow, 'id' | 'verdict'>,
): Promise<boolean> {
  const [row] = await tx
    .select({ state: integrations.state, lastCheckId: integrations.lastCheckId })
    .from(integrations)
    .where(eq(integrations.id, integrationId));
  if (row === undefined) return false;
  const passed = check.verdict === 'ok' || check.verdict === 'ok_with_warnings';
  return row.state === 'checking' || (passed && row.lastCheckId !== check.id);
}

/** The report of the check by which the integration signs; null: there was none. */
export async function readPassedReport(
  tx: Transaction,
  integrationId: string,
): Promise<Record<string, unknown> | null> {
  const [row] = await tx
    .select({ report: connectionChecks.report })
    .from(integrations)
    .innerJoin(
      connectionChecks,
      and(
        eq(connectionChecks.organizationId, integrations.organizationId),
        eq(connectionChecks.id, integrations.lastCheckId),
      ),
    )
    .where(eq(integrations.id, integrationId));
  return row?.report ?? null;
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

/** Whether it is new: a request that is sent again finds the check of the first. */
export async function insertCheck(
  tx: Transaction,
  row: { id: string; organizationId: string; integrationId: string | null; credentialKind: CredentialKind },
): Promise<boolean> {
  const inserted = await tx
    .insert(connectionChecks)
    .values(row)
    .onConflictDoNothing()
    .returning({ id: connectionChecks.id });
  return inserted.length > 0;
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
