import { expect, test } from 'vitest';
import { deleteNext } from '../../../db/queries/removal/deleteRows.ts';
import { TABLES_OF_WEBHOOK } from '../../../db/queries/removal/tables.ts';
import { Secret } from '../../../platform/secrets/secret.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { countRowsRead } from '../../support/rowsRead.ts';
import { createHook } from '../../support/webhooks.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

const DELIVERIES = 6_000;
const PAGE = 1_000;

test('deliveries of a hook are removed page by page, without reading all of them for each', async () => {
  const tenant = await bench.tenant('active');
  await tenant.repositories(1);
  const { organizationId, integrationId } = tenant;
  const { id } = await createHook(bench.sql, tenant, { key: new Secret('k'.repeat(64)) });
  // Of three days, the last of which nobody has told the planner of.
  await bench.sql`insert into webhook_deliveries (organization_id, id, webhook_id, integration_id, event_key, body, received_on)
    select ${organizationId}, gen_random_uuid(), ${id}, ${integrationId}, 'repo:push', '', now()::date + n % 3
    from generate_series(1, ${DELIVERIES}::int) n`;
  const days = await bench.sql<{ name: string }[]>`select inhrelid::regclass::text as name from pg_inherits
    where inhparent = 'webhook_deliveries'::regclass`;
  const tables = days.map(({ name }) => name);
  const owner = { column: 'webhook_id', organizationId, id } as const;
  const [table] = TABLES_OF_WEBHOOK;

  const pages: Awaited<ReturnType<typeof deleteNext>>[] = [];
  do {
    const after = pages.at(-1)?.last ?? null;
    const read = await bench.inTenant(tenant, (tx) =>
      countRowsRead(tx, tables, async () =>
        pages.push(await deleteNext(tx, { table: table!, owner, after, limit: PAGE })),
      ),
    );
    // Once to choose them, once to remove them.
    expect(read).toBeLessThanOrEqual(2 * PAGE + tables.length);
  } while (pages.at(-1)?.last !== null);
  expect(pages.map(({ removed }) => removed)).toEqual([
    ...Array.from({ length: DELIVERIES / PAGE }, () => PAGE),
    0,
  ]);
});
