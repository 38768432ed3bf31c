import { eq, sql } from 'drizzle-orm';
import type { Verdict } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { connectionChecks, integrations } from '../schema/index.ts';
import type { ConnectedAccount } from '../schema/integrations.ts';
import { jsonText } from './jsonText.ts';

/** Ends a check with its report. A check that has ended keeps its first outcome. */
export async function finishCheck(
  tx: Transaction,
  check: { checkId: string; verdict: Verdict; report: object },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update connection_checks set state = 'done', verdict = ${check.verdict},
      report = ${jsonText(check.report)}::jsonb, finished_at = clock_timestamp()
    where id = ${check.checkId} and state = 'running' returning 1`);
  return rows.length > 0;
}

/** The account that the integration of a check is connected as, escaped as it is stored; null: none yet. */
export async function selectAccountBefore(
  tx: Transaction,
  checkId: string,
): Promise<ConnectedAccount | null> {
  const [row] = await tx
    .select({ account: integrations.connectedAccount })
    .from(connectionChecks)
    .innerJoin(integrations, eq(integrations.id, connectionChecks.integrationId))
    .where(eq(connectionChecks.id, checkId));
  return row?.account ?? null;
}
