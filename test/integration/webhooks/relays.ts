import { randomUUID } from 'node:crypto';
import { afterEach } from 'vitest';
import { deliveryFacts } from '../../../api/webhooks/deliveryFacts.ts';
import { createLogger } from '../../../platform/log.ts';
import { type RelayClock, startRelay } from '../../../worker/relay/relay.ts';
import type { Waker } from '../../../worker/relay/waker.ts';
import type { Service } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { WEBHOOK_KEY } from '../../support/localApi.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createHook, type TestHook } from '../../support/webhooks.ts';

/** Deliveries that are stored, relays that hand them on, and what was handed on. */

export interface Situation {
  tenant: TestTenant;
  hook: TestHook;
  /** imported ones first, then one that is discovered only */
  repositories: { id: string; uuid: string }[];
}

interface Sent {
  repositoryId: string;
  services: Service[];
  atMs: number;
}

/** Temporal as it is, or away. */
export function recordingWaker() {
  const sent: Sent[] = [];
  const discoveries: string[] = [];
  const state = { away: false, discoveryRuns: false, asked: 0 };
  const waker: Waker = {
    async sync({ repositoryId, services }) {
      state.asked += 1;
      if (state.away) throw new Error('Temporal is away.');
      sent.push({ repositoryId, services, atMs: performance.now() });
    },
    async discover({ integrationId }) {
      if (state.away) throw new Error('Temporal is away.');
      if (!state.discoveryRuns) discoveries.push(integrationId);
      return !state.discoveryRuns;
    },
  };
  return { waker, sent, discoveries, state };
}

/** Called at the top of a test file: a database of its own; behind each test its relays are stopped, and its hooks gone. */
export function useRelays() {
  const bench = useDatabaseBench({ role: 'worker', maxConnections: 4 });
  const stops: (() => Promise<void>)[] = [];

  afterEach(async () => {
    await Promise.all(stops.splice(0).map((stop) => stop()));
    await bench.sql`delete from webhooks`;
  });

  async function situation(): Promise<Situation> {
    const tenant = await bench.tenant('active');
    const [notImported] = await tenant.repositories(3);
    await bench.sql`update repositories set integration_id = ${tenant.integrationId}, first_imported_at = now()
      where organization_id = ${tenant.organizationId} and id <> ${notImported!}`;
    await bench.sql`update repositories set provider_uuid = '{' || provider_uuid || '}' where organization_id = ${tenant.organizationId}`;
    const repositories = await bench.sql<{ id: string; uuid: string }[]>`
      select id, provider_uuid as uuid from repositories where organization_id = ${tenant.organizationId}
      order by first_imported_at nulls last, id`;
    return { tenant, hook: await createHook(bench.sql, tenant, { key: WEBHOOK_KEY }), repositories };
  }

  async function deliver({ tenant, hook }: Situation, eventKey: string, texts: string[]): Promise<void> {
    const rows = texts.map((text) => {
      const body = Buffer.from(text);
      const { repositoryUuid, pullRequestState, pullRequestNumber } = deliveryFacts(body);
      return {
        organization_id: tenant.organizationId,
        id: randomUUID(),
        webhook_id: hook.id,
        integration_id: tenant.integrationId,
        event_key: eventKey,
        body,
        repository_uuid: repositoryUuid,
        pull_request_state: pullRequestState,
        pull_request_number: pullRequestNumber,
      };
    });
    await bench.sql`insert into webhook_deliveries ${bench.sql(rows)}`;
  }

  const outcomes = async ({ hook }: Situation) =>
    (
      await bench.sql<{ outcome: string | null; reason: string | null; count: number }[]>`
      select outcome, reason, count(*)::integer from webhook_deliveries where webhook_id = ${hook.id}
      group by 1, 2 order by 1, 2`
    ).map((row) => ({ ...row }));

  const untilAllDone = (of: Situation) =>
    waitFor({
      what: 'every delivery is done',
      read: () => outcomes(of),
      until: (rows) => rows.every(({ outcome }) => outcome !== null),
    });

  function relay(
    waker: Waker,
    options: { everyMs?: number; clock?: RelayClock } = { everyMs: 20 },
  ): () => Promise<void> {
    const log = createLogger({ service: 'worker', level: 'silent' });
    const stop = startRelay({ database: bench.database, waker, log, ...options });
    stops.push(stop);
    return stop;
  }

  return { bench, situation, deliver, outcomes, untilAllDone, relay };
}
