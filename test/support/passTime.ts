import { sql } from 'drizzle-orm';
import type { Database } from '../../db/client.ts';
import type { Simulator } from './simulator.ts';

/**
 * Lets time pass for the host, for the request budget, and for the credentials of an organization. Who waits for the budget
 * has an end by a clock that does not know of it, and so meets room early.
 */
export async function passTime(
  {
    simulator,
    database,
    organizationId,
  }: { simulator: Simulator; database: Database; organizationId: string },
  ms: number,
): Promise<void> {
  simulator.clock.advance(ms);
  const seconds = sql`make_interval(secs => ${ms / 1_000})`;
  await database.withoutTenant(async (tx) => {
    await tx.execute(sql`update request_limits set blocked_until = blocked_until - ${seconds},
      updated_at = updated_at - ${seconds}, stated_at = stated_at - ${seconds}, swept_at = swept_at - ${seconds}`);
    // By way of another century: unique keys are looked at row by row.
    await tx.execute(sql`update request_uses set leaves_at = leaves_at - interval '36500 days'`);
    await tx.execute(sql`update request_uses set leaves_at = leaves_at + interval '36500 days' - ${seconds}`);
  });
  await database.transaction(organizationId, (tx) =>
    tx.execute(sql`update credentials set access_expires_at = access_expires_at - ${seconds},
      refused_at = refused_at - ${seconds}`),
  );
}
