import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { insertEvent } from './events.ts';

const integers = (days: readonly number[]) => sql`${`{${days.join(',')}}`}::integer[]`;

/** Credentials that sign and have come nearer to their end than they were warned of (a named look-up: run it without a tenant). */
export async function selectExpiringCredentials(
  tx: Transaction,
  warnDays: readonly number[],
): Promise<{ organizationId: string; id: string }[]> {
  return tx.execute<{ organizationId: string; id: string }>(sql`
    select organization_id as "organizationId", id from lookup_expiring_credentials(${integers(warnDays)})`);
}

/**
 * Warns of one, as its tenant: by an event for the nearest of `warnDays` that it has reached. False: another worker did,
 * or it signs no more.
 */
export async function warnOfExpiry(
  tx: Transaction,
  { organizationId, id, warnDays }: { organizationId: string; id: string; warnDays: readonly number[] },
): Promise<boolean> {
  const [warned] = await tx.execute<{ integrationId: string; days: number; expiresOn: string }>(sql`
    update credentials c set warned_days = reached.days
    from (
      select min(days) as days from unnest(${integers(warnDays)}) as given (days), credentials of
      where of.id = ${id} and of.expires_on <= clock_timestamp() + make_interval(days => days)
    ) as reached
    where c.id = ${id} and c.state = 'active' and c.expires_on > clock_timestamp()
      and reached.days < coalesce(c.warned_days, reached.days + 1)
    returning c.integration_id as "integrationId", c.warned_days as days,
      to_char(c.expires_on at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as "expiresOn"`);
  if (warned === undefined) return false;
  const { integrationId, days, expiresOn } = warned;
  const data = { days, expires_on: expiresOn };
  await insertEvent(tx, { organizationId, integrationId, type: 'credential_expiring', data });
  return true;
}
