import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { describe, expect, inject, test } from 'vitest';
import { takeUp } from '../../../worker/relay/takeUp.ts';
import { createWaker, type Waker } from '../../../worker/relay/waker.ts';
import { discoveryWorkflowId, lookUpWorkflowId, syncRepositoryWorkflowId } from '../../../workflows/ids.ts';
import { waitFor } from '../../support/waitFor.ts';
import { pushBody } from '../../support/webhooks.ts';
import { recordingWaker, useRelays } from './relays.ts';

const { bench, situation, deliver, outcomes, untilAllDone, relay } = useRelays();

describe('the relay', () => {
  test('wakes a repository once a second at most, whatever comes and however many relays there are (F44)', async () => {
    const here = await situation();
    const [api, web] = here.repositories;
    const { waker, sent } = recordingWaker();
    const startedAt = performance.now();
    relay(waker);
    relay(waker);
    for (let burst = 0; burst < 4; burst += 1) {
      const bodies = Array.from({ length: 150 }, () => pushBody(api!.uuid));
      await deliver(here, 'repo:push', bodies);
      await deliver(here, 'pullrequest:updated', [pushBody(web!.uuid)]);
      const awaited = sent.length;
      await waitFor({ what: 'something is woken', read: () => sent.length, until: (n) => n > awaited });
    }
    expect(await untilAllDone(here)).toEqual([{ outcome: 'woken', reason: null, count: 604 }]);
    const seconds = (performance.now() - startedAt) / 1_000;
    for (const { id } of [api!, web!]) {
      const times = sent.filter(({ repositoryId }) => repositoryId === id).map(({ atMs }) => atMs);
      expect(times.length).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
      // The right to wake is given by Postgres' clock, the wake follows within milliseconds.
      for (const [index, at] of times.slice(1).entries()) expect(at - times[index]!).toBeGreaterThan(900);
    }
    const servicesOf = (id: string) =>
      new Set(sent.filter(({ repositoryId }) => repositoryId === id).flatMap(({ services }) => services));
    expect([...servicesOf(api!.id)]).toEqual(['repositories']);
    expect([...servicesOf(web!.id)]).toEqual(['pull_requests']);
  });

  test('marks nothing while Temporal is away, asks rarely meanwhile, and hands everything on when it is back', async () => {
    const here = await situation();
    const { waker, sent, state } = recordingWaker();
    state.away = true;
    relay(waker);
    await deliver(
      here,
      'repo:push',
      Array.from({ length: 50 }, () => pushBody(here.repositories[0]!.uuid)),
    );
    await waitFor({ what: 'it was asked', read: () => state.asked, until: (asked) => asked === 1 });
    await deliver(here, 'pullrequest:updated', [pushBody(here.repositories[1]!.uuid)]);
    await waitFor({ what: 'it was asked again', read: () => state.asked, until: (asked) => asked === 2 });
    expect(await outcomes(here)).toEqual([{ outcome: null, reason: null, count: 51 }]);
    state.away = false;
    // Those that failed are taken up again after ten seconds: let them pass.
    await bench.sql`update webhook_deliveries set due_at = now() where due_at is not null`;
    expect(await untilAllDone(here)).toEqual([{ outcome: 'woken', reason: null, count: 51 }]);
    expect(new Set(sent.map(({ repositoryId }) => repositoryId)).size).toBe(2);
  });

  test('looks at a hundred deliveries at most before each attempt while Temporal is away', async () => {
    const here = await situation();
    const { waker, state } = recordingWaker();
    state.away = true;
    relay(waker);
    await deliver(here, 'repo:push', [pushBody(here.repositories[0]!.uuid)]);
    await waitFor({ what: 'it was asked', read: () => state.asked, until: (asked) => asked === 1 });
    const startedAt = performance.now();
    await deliver(
      here,
      'repo:push',
      Array.from({ length: 300 }, () => pushBody(`{${randomUUID()}}`)),
    );
    await waitFor({
      what: 'all that wake nobody are set aside',
      read: async () => (await outcomes(here)).find(({ outcome }) => outcome === 'ignored')?.count,
      until: (count) => count === 300,
    });
    // Three searches have two pauses of a second at least between them.
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
  });

  test('rests for as long as it claimed, so that storing goes first', async () => {
    const here = await situation();
    await deliver(
      here,
      'repo:push',
      Array.from({ length: 2_000 }, () => pushBody(`{${randomUUID()}}`)),
    );
    await bench.sql.unsafe(`create table claims (at timestamptz not null);
      create function claim_slowly() returns trigger language plpgsql security definer as $$ begin
        perform pg_sleep(0.25);
        insert into claims values (clock_timestamp());
        return null;
      end $$;
      create trigger claim_slowly before update on webhook_deliveries
        for each statement execute function claim_slowly()`);
    relay(recordingWaker().waker);
    await untilAllDone(here);
    await bench.sql.unsafe('drop trigger claim_slowly on webhook_deliveries');
    const gaps = await bench.sql<{ ms: number }[]>`
      select 1000 * extract(epoch from at - lag(at) over (order by at))::float as ms from claims order by at offset 1`;
    expect(gaps).toHaveLength(3);
    for (const { ms } of gaps) expect(ms).toBeGreaterThan(450);
  });

  test('takes up what a relay that died had claimed, when its lease ends', async () => {
    const here = await situation();
    await deliver(here, 'repo:push', [
      pushBody(here.repositories[0]!.uuid),
      pushBody(here.repositories[1]!.uuid),
    ]);
    expect((await takeUp(bench.database, 100)).wakes).toHaveLength(2);
    expect((await takeUp(bench.database, 100)).due).toBe(0);
    const [lease] =
      await bench.sql`select min(due_at) > now() + interval '20 seconds' and max(due_at) < now() + interval '40 seconds'
      as held from webhook_deliveries where webhook_id = ${here.hook.id}`;
    expect(lease!['held']).toBe(true);
    await bench.sql`update webhook_deliveries set due_at = now()`;
    const { waker, sent } = recordingWaker();
    relay(waker);
    await untilAllDone(here);
    expect(sent).toHaveLength(2);
  });

  test('gives back what it holds when it stops', async () => {
    const here = await situation();
    const { waker, sent } = recordingWaker();
    const stop = relay(waker);
    await deliver(here, 'repo:push', [pushBody(here.repositories[0]!.uuid)]);
    await untilAllDone(here);
    // Within the second of the first: this one waits for its turn.
    await deliver(here, 'repo:push', [pushBody(here.repositories[0]!.uuid)]);
    await stop();
    const [waiting] =
      await bench.sql`select due_at <= now() as due from webhook_deliveries where outcome is null`;
    if (waiting !== undefined) expect(waiting['due']).toBe(true);
    relay(waker);
    await untilAllDone(here);
    expect(sent.length).toBeGreaterThanOrEqual(2);
  });

  test('sets aside what nobody waits for, with the reason; what was missed while paused is remembered', async () => {
    const here = await situation();
    const [imported, , discovered] = here.repositories;
    const { waker, sent, discoveries } = recordingWaker();
    await deliver(here, 'repo:push', [pushBody(`{${randomUUID()}}`), pushBody(discovered!.uuid), 'no JSON']);
    await deliver(here, 'repo:deleted', [pushBody(`{${randomUUID()}}`)]);
    await deliver(here, 'repo:fork', [pushBody(imported!.uuid)]);
    await deliver(here, 'repo:of_tomorrow', [pushBody(imported!.uuid)]);
    relay(waker);
    await untilAllDone(here);
    await bench.sql`update integrations set state = 'paused' where id = ${here.tenant.integrationId}`;
    await deliver(here, 'pullrequest:updated', [pushBody(imported!.uuid)]);
    await deliver(here, 'repo:created', ['{}']);
    expect(await untilAllDone(here)).toEqual([
      { outcome: 'ignored', reason: 'body_unreadable', count: 1 },
      { outcome: 'ignored', reason: 'event_not_kept', count: 1 },
      { outcome: 'ignored', reason: 'event_unknown', count: 1 },
      { outcome: 'ignored', reason: 'integration_paused', count: 2 },
      { outcome: 'ignored', reason: 'repository_not_imported', count: 1 },
      { outcome: 'ignored', reason: 'repository_unknown', count: 2 },
    ]);
    expect(sent).toEqual([]);
    expect(discoveries).toEqual([]);
    const [missed] =
      await bench.sql`select missed from repository_syncs where repository_id = ${imported!.id}`;
    expect(missed!['missed']).toEqual(['pull_requests']);
    const [hook] =
      await bench.sql`select last_delivery_at > now() - interval '1 minute' as recent from webhooks where id = ${here.hook.id}`;
    expect(hook!['recent']).toBe(true);
  });

  test('wakes a repository whose first import is under way', async () => {
    const here = await situation();
    const discovered = here.repositories[2]!;
    await bench.sql`update repositories set integration_id = ${here.tenant.integrationId} where id = ${discovered.id}`;
    const importId = await here.tenant.storeImport({ all: true });
    await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place, state)
      values (${here.tenant.organizationId}, ${importId}, ${discovered.id}, 1, 'running')`;
    const { waker, sent } = recordingWaker();
    relay(waker);
    await deliver(here, 'repo:push', [pushBody(discovered.uuid)]);
    await untilAllDone(here);
    expect(sent.map(({ repositoryId }) => repositoryId)).toEqual([discovered.id]);
  });

  test('asks for a discovery once a minute, and again when one that ran may have passed what changed', async () => {
    const here = await situation();
    const { waker, discoveries, state } = recordingWaker();
    state.discoveryRuns = true;
    relay(waker);
    await deliver(here, 'repo:updated', ['{"n":1}', '{"n":2}']);
    await waitFor({
      what: 'they wait for the next discovery',
      read: async () =>
        (
          await bench.sql`select 1 from webhook_deliveries where due_at between now() + interval '5 seconds' and now() + interval '11 seconds'`
        ).length,
      until: (waiting) => waiting === 2,
    });
    state.discoveryRuns = false;
    const aMinuteLater = async () => {
      await bench.sql`update webhook_wakes set woken_at = woken_at - interval '1 minute'`;
      await bench.sql`update webhook_deliveries set due_at = now() where due_at is not null`;
    };
    await aMinuteLater();
    await untilAllDone(here);
    expect(discoveries).toEqual([here.tenant.integrationId]);
    await deliver(here, 'repo:deleted', ['{}']);
    await waitFor({
      what: 'it waits for its minute',
      read: async () =>
        (await bench.sql`select 1 from webhook_deliveries where due_at > now() + interval '5 seconds'`)
          .length,
      until: (waiting) => waiting === 1,
    });
    expect(discoveries).toHaveLength(1);
    await aMinuteLater();
    await untilAllDone(here);
    expect(discoveries).toHaveLength(2);
  });

  test('takes up once more what came again while it was held', async () => {
    const here = await situation();
    const { waker, sent } = recordingWaker();
    await deliver(here, 'repo:push', [pushBody(here.repositories[0]!.uuid)]);
    const holding: Waker = {
      ...waker,
      async sync(hint) {
        await bench.sql`update webhook_deliveries set repeats = repeats + 1 where webhook_id = ${here.hook.id}`;
        await waker.sync(hint);
      },
    };
    relay(holding);
    await untilAllDone(here);
    const [row] =
      await bench.sql`select due_at > now() + interval '50 seconds' as again from webhook_deliveries`;
    expect([row!['again'], sent.length]).toEqual([true, 1]);
  });
});

describe('Temporal', () => {
  test('has one run a repository that gets every hint, one discovery at a time, and look-ups beside it', async () => {
    const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
    const connection = await Connection.connect({ address });
    const client = new Client({ connection, namespace });
    // Nobody listens on this queue: what is asked for stays as it is.
    const waker = createWaker({ client, taskQueue: `test-${randomUUID()}` });
    const ids = { organizationId: randomUUID(), integrationId: randomUUID(), lookUp: null };
    const repositoryId = randomUUID();
    const hint = { ...ids, repositoryId, fullName: 'acme/api', by: 'webhook' as const };
    await waker.sync({ ...hint, services: ['repositories'] });
    await waker.sync({ ...hint, services: ['pull_requests'] });
    const sync = client.workflow.getHandle(syncRepositoryWorkflowId(repositoryId));
    const { events } = await sync.fetchHistory();
    const signals = (events ?? []).filter((event) => event.workflowExecutionSignaledEventAttributes != null);
    expect(signals).toHaveLength(2);
    const lookUp = { ...ids, lookUp: ['{new}'] };
    for (const asked of [lookUp, ids])
      expect([await waker.discover(asked), await waker.discover(asked)]).toEqual([true, false]);
    const others = [discoveryWorkflowId, lookUpWorkflowId].map((idOf) =>
      client.workflow.getHandle(idOf(ids.integrationId)),
    );
    await Promise.all([sync, ...others].map((run) => run.terminate()));
    await connection.close();
  });
});
