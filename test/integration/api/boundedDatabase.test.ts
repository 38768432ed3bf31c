import { sql } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { boundedDatabase } from '../../../api/boundedDatabase.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

test('what a caller was refused for its time is not committed later', async () => {
  const bounded = boundedDatabase(bench.database, 300);
  const lock = await bench.sql.reserve();
  await lock`begin`;
  await lock`lock table request_limits in share mode`;
  const written = bounded.transaction('', (tx) =>
    tx.execute(sql`insert into request_limits (account_key, limit_group) values ('late', 'x')`),
  );
  const queued = bounded.withoutTenant((tx) =>
    tx.execute(sql`insert into request_limits (account_key, limit_group) values ('queued', 'x')`),
  );
  await expect(written).rejects.toMatchObject({ code: '08007' });
  await expect(queued).rejects.toMatchObject({ code: '08000' });
  await lock`commit`;
  lock.release();
  // The only connection is free again: whatever was to be carried out has been.
  await bench.database.withoutTenant((tx) => tx.execute(sql`select 1`));
  expect(await bench.sql`select account_key from request_limits`).toHaveLength(0);
});
