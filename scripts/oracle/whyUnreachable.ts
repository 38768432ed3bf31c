import { sql } from 'drizzle-orm';
import type { VerifyInput } from './verifyOrganization.ts';

const TIMEOUT_MS = 5_000;

/** Says in words which of the two sides of the comparison does not answer; undefined: both do. */
export async function whyUnreachable(input: VerifyInput): Promise<string | undefined> {
  const { simulatorUrl, database, organizationId } = input;
  try {
    const answer = await fetch(`${simulatorUrl}/_simulator/credentials`, {
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await answer.body?.cancel();
    if (!answer.ok) return `What answers at ${simulatorUrl} is no simulator (status ${answer.status}).`;
  } catch (error) {
    return `The simulator does not answer at ${simulatorUrl} (${reason(error)}).`;
  }
  try {
    await database.transaction(organizationId, (tx) => tx.execute(sql`select 1`));
  } catch (error) {
    return `Postgres does not answer (${reason(error)}).`;
  }
  return undefined;
}

/** The innermost cause: what wraps it says only that something failed. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return reason(error.cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return error.message === '' ? (code ?? error.name) : error.message;
}
