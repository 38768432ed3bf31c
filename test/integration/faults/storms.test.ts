import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { createLogger } from '../../../platform/log.ts';
import { startRelay } from '../../../worker/relay/relay.ts';
import type { Waker } from '../../../worker/relay/waker.ts';
import { below, pick, type Random } from '../../support/badAnswers.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createLocalApi, WEBHOOK_KEY } from '../../support/localApi.ts';
import { seededRandom } from '../../support/seededRandom.ts';
import { isSoak, overSeeds, seeds, seedsTimeoutMs } from '../../support/seeds.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createHook, pushBody, type TestHook } from '../../support/webhooks.ts';

/**
 * Storms of deliveries at the receiver, in bursts, for repositories of two customers, while relays come and go
 * (reliability.md, F44): what was answered 2xx is stored, each repository is woken once a second at most, and behind each
 * delivery comes a wake for what it tells of. Which came when is read from Postgres' clock: this process may be busy.
 */
const CI_SEEDS = 3;
const BURSTS = 4;
const MOST_IN_A_BURST = isSoak() ? 600 : 150;
const MOST_RELAYS = 3;
/** The service that each kind of delivery tells of. */
const KINDS = { 'repo:push': 'repositories', 'pullrequest:updated': 'pull_requests' } as const;

interface Place {
  hook: TestHook;
  repositoryUuid: string;
}

vi.setConfig({ testTimeout: seedsTimeoutMs() });

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });
let api: ReturnType<typeof createLocalApi>;
const databases: Database[] = [];
const relays: (() => Promise<void>)[] = [];

const stopRelays = async (left = 0): Promise<void> => {
  await Promise.all(relays.splice(left).map((stop) => stop()));
};

beforeAll(async () => {
  api = createLocalApi({ databaseUrl: bench.testDatabase.apiUrl });
  await api.untilReady();
  const url = bench.testDatabase.workerUrl;
  for (let n = 0; n < MOST_RELAYS; n += 1)
    databases.push(createDatabase({ url, maxConnections: 2, applicationName: `relay ${String(n)}` }));
  await bench.sql.unsafe(`
    create table granted (repository_id uuid not null, at timestamptz not null);
    create table sent (repository_id uuid not null, services text[] not null,
      at timestamptz not null default clock_timestamp());
    create function note_granted() returns trigger language plpgsql security definer as $$ begin
      insert into granted values (new.repository_id, new.woken_at);
      return null;
    end $$;
    create trigger note_granted after insert or update on webhook_wakes
      for each row when (new.repository_id is not null) execute function note_granted()`);
});
afterEach(() => stopRelays());
afterAll(async () => {
  await api?.close();
  for (const database of databases) await database.end();
});

const log = createLogger({ service: 'worker', level: 'silent' });

/** Temporal, which takes every wake. */
const waker: Waker = {
  async sync({ repositoryId, services }) {
    await bench.sql`insert into sent (repository_id, services) values (${repositoryId}, ${services})`;
  },
  discover: () => Promise.resolve(true),
};

/** One to three from now on, the oldest of them kept. */
async function changeRelays(random: Random): Promise<void> {
  const wanted = 1 + below(random, MOST_RELAYS);
  await stopRelays(Math.min(wanted, below(random, MOST_RELAYS)));
  while (relays.length < wanted)
    relays.push(startRelay({ database: databases[relays.length]!, waker, log, everyMs: 20 }));
}

/** A hook of a customer with so many imported repositories. */
async function customer(count: number): Promise<Place[]> {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  await tenant.repositories(count);
  await bench.sql`
    update repositories set integration_id = ${integrationId}, first_imported_at = now(),
      provider_uuid = '{' || provider_uuid || '}'
    where organization_id = ${organizationId}`;
  const hook = await createHook(bench.sql, tenant, { key: WEBHOOK_KEY });
  const rows = await bench.sql<{ uuid: string }[]>`
    select provider_uuid as uuid from repositories where organization_id = ${organizationId} order by id`;
  return rows.map(({ uuid: repositoryUuid }) => ({ hook, repositoryUuid }));
}

/** Sends so many at once, most of them of one repository; gives the bodies that were taken. */
async function burst(random: Random, places: readonly Place[], count: number): Promise<string[]> {
  const stormy = pick(random, places);
  const kinds = Object.keys(KINDS);
  const sent = Array.from({ length: count }, async () => {
    const { hook, repositoryUuid } = random() < 0.7 ? stormy : pick(random, places);
    const body = pushBody(repositoryUuid);
    const { status } = await api.send(hook.path, {
      method: 'POST',
      ...hook.delivery(pick(random, kinds), body),
    });
    expect(status).toBe(202);
    return body;
  });
  return Promise.all(sent);
}

const countOf = async (table: 'sent' | 'granted'): Promise<number> =>
  (await bench.sql<{ count: number }[]>`select count(*)::integer from ${bench.sql(table)}`)[0]!.count;

/** Rights to wake a repository that came within a second of the one before. */
const tooSoon = () => bench.sql`
  select * from (
    select repository_id, at, at - lag(at) over (partition by repository_id order by at) as after from granted
  ) g where after < interval '1 second'`;

/** Deliveries behind which nobody was woken for what they tell of. */
const forgotten = () => bench.sql`
  select d.event_key, d.received_at, d.outcome, d.reason from webhook_deliveries d
  join repositories r on r.provider_uuid = d.repository_uuid
  where not exists (select from sent s where s.repository_id = r.id and s.at >= d.received_at
    and s.services @> array[${bench.sql.json(KINDS)}::jsonb ->> d.event_key])`;

test('a storm, whatever its bursts and however many relays: all is stored, and woken for once a second at most (F44)', async () => {
  await overSeeds(seeds(CI_SEEDS), async (seed) => {
    const run = `seed ${String(seed)}`;
    const random = seededRandom(seed);
    await bench.sql`delete from webhooks`;
    await bench.sql`truncate granted, sent`;
    const places = [...(await customer(1 + below(random, 4))), ...(await customer(1))];
    const taken: string[] = [];
    for (let n = 0; n < BURSTS; n += 1) {
      await changeRelays(random);
      const before = await countOf('sent');
      taken.push(...(await burst(random, places, 1 + below(random, MOST_IN_A_BURST))));
      if (random() < 0.5) continue;
      await waitFor({
        what: `${run}: something is woken`,
        read: () => countOf('sent'),
        until: (count) => count > before,
      });
    }
    await waitFor({
      what: `${run}: every delivery is done`,
      read: () => bench.sql`select from webhook_deliveries where outcome is null`,
      until: ({ length }) => length === 0,
      timeoutMs: 60_000,
    });
    await stopRelays();
    const stored = await bench.sql<{ body: Buffer; outcome: string }[]>`
      select body, outcome from webhook_deliveries`;
    expect(stored.map(({ body }) => body.toString()).toSorted(), run).toEqual(taken.toSorted());
    expect(new Set(stored.map(({ outcome }) => outcome)), run).toEqual(new Set(['woken']));
    expect(await tooSoon(), run).toEqual([]);
    // Nobody is woken without the right to.
    expect(await countOf('sent'), run).toBe(await countOf('granted'));
    expect(await forgotten(), run).toEqual([]);
  });
});
