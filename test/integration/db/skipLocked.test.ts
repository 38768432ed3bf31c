import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Transaction } from '../../../db/client.ts';
import type { RepositoryScope } from '../../../db/queries/upsert.ts';
import { askPullRequests, letGoWanted, readWanted } from '../../../db/queries/wantedPullRequests.ts';
import { claimDeliveries, type DeliveryKey } from '../../../db/queries/webhookRelay.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { WEBHOOK_KEY } from '../../support/localApi.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createHook } from '../../support/webhooks.ts';

/** What two transactions want at once: what the one has locked the other passes over, instead of waiting for its end. */
const bench = useDatabaseBench({ role: 'worker', maxConnections: 3 });

/** What this answers while another transaction is open. Fails as soon as it waits for a lock of that one. */
async function withoutWaiting<T>(work: Promise<T>): Promise<T> {
  let isOver = false;
  const over = () => void (isOver = true);
  work.then(over, over);
  const { waiting } = await waitFor({
    what: 'it is answered, or waits for a lock',
    read: async () => {
      const waiters = await bench.sql`
        select query from pg_stat_activity
        where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0`;
      return { isOver, waiting: waiters.map((row) => String(row['query'])) };
    },
    until: (now) => now.isOver || now.waiting.length > 0,
  });
  expect(waiting).toEqual([]);
  return work;
}

describe('deliveries that two relays claim at once', () => {
  async function dueDeliveries(tenant: TestTenant, count: number): Promise<DeliveryKey[]> {
    await tenant.repositories(1);
    const hook = await createHook(bench.sql, tenant, { key: WEBHOOK_KEY });
    const rows = Array.from({ length: count }, () => ({
      organization_id: tenant.organizationId,
      id: randomUUID(),
      webhook_id: hook.id,
      integration_id: tenant.integrationId,
      event_key: 'repo:push',
      body: Buffer.from('{}'),
    }));
    return bench.sql<DeliveryKey[]>`insert into webhook_deliveries ${bench.sql(rows)}
      returning webhook_id as "webhookId", received_on::text as "receivedOn", id`;
  }

  const claim = async (tx: Transaction, keys: readonly DeliveryKey[]): Promise<string[]> =>
    (await claimDeliveries(tx, keys)).map(({ id }) => id).toSorted();

  test('go to the one or to the other, and neither waits', async () => {
    const tenant = await bench.tenant('active');
    const keys = await dueDeliveries(tenant, 5);
    const idsOf = (some: readonly DeliveryKey[]) => some.map(({ id }) => id).toSorted();
    await bench.inTenant(tenant, async (one) => {
      expect(await claim(one, keys.slice(0, 2))).toEqual(idsOf(keys.slice(0, 2)));
      await bench.inTenant(tenant, async (other) => {
        expect(await withoutWaiting(claim(other, keys))).toEqual(idsOf(keys.slice(2)));
        expect(await withoutWaiting(claim(one, keys))).toEqual(idsOf(keys.slice(0, 2)));
      });
    });
  });
});

describe('wanted pull requests', () => {
  async function wantedOf(count: number): Promise<{ tenant: TestTenant; scope: RepositoryScope }> {
    const tenant = await bench.tenant('active');
    const [repositoryId] = await tenant.repositories(1);
    const scope = { organizationId: tenant.organizationId, repositoryId: repositoryId! };
    await bench.inTenant(tenant, (tx) =>
      askPullRequests(
        tx,
        scope.organizationId,
        Array.from({ length: count }, (_, index) => asked(scope, index + 1)),
      ),
    );
    return { tenant, scope };
  }
  const asked = ({ repositoryId }: RepositoryScope, number: number) => ({
    repositoryId,
    number,
    part: 'record' as const,
  });
  const read = (tenant: TestTenant, scope: RepositoryScope) =>
    bench.inTenant(tenant, (tx) => readWanted(tx, scope, 'record'));
  const numbers = async (tenant: TestTenant, scope: RepositoryScope) =>
    (await read(tenant, scope)).map(({ number }) => number);

  test('stay when they are asked for again at this moment; the answer for others does not wait for that', async () => {
    const { tenant, scope } = await wantedOf(3);
    const wanted = await read(tenant, scope);
    await bench.inTenant(tenant, async (asking) => {
      await askPullRequests(asking, scope.organizationId, [asked(scope, 2)]);
      await withoutWaiting(
        bench.inTenant(tenant, (tx) => letGoWanted(tx, scope, { part: 'record', wanted })),
      );
      expect(await numbers(tenant, scope)).toEqual([2]);
    });
    expect(await numbers(tenant, scope)).toEqual([2]);
  });

  test('that two answer at once are let go by the one or the other, and neither waits', async () => {
    const { tenant, scope } = await wantedOf(4);
    const wanted = await read(tenant, scope);
    const letGo = (tx: Transaction, those: typeof wanted) =>
      letGoWanted(tx, scope, { part: 'record', wanted: those });
    await bench.inTenant(tenant, async (one) => {
      await letGo(one, wanted.slice(0, 2));
      await bench.inTenant(tenant, async (other) => {
        await withoutWaiting(letGo(other, wanted.slice(1)));
        await withoutWaiting(letGo(one, wanted));
      });
      // The one has not ended: what the other let go is all that is gone.
      expect(await numbers(tenant, scope)).toEqual([1, 2]);
    });
    expect(await numbers(tenant, scope)).toEqual([]);
  });
});
