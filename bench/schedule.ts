import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection as TemporalConnection } from '@temporalio/client';
import { v7 as uuid } from 'uuid';
import { schedulePolls } from '../activities/poll/schedule.ts';
import type { Bench } from './main.ts';
import { connect } from './support/connection.ts';
import { round } from './support/median.ts';
import { type Stand, withStand } from './support/stand.ts';

const INTEGRATIONS = 1_000;
/** The engine's own interval. */
const INTERVAL_MS = 15 * 60_000;
const SECONDS = 180;
/** Making the schedules has work of its own. */
const SETTLE_MS = 15_000;
const AT_ONCE = 20;
/** Histories that are read for what a round makes Temporal do. */
const SAMPLES = 10;
/** What Temporal counts as an action; a schedule that starts a workflow counts twice. */
const ACTIONS = new Set([
  'workflowExecutionStartedEventAttributes',
  'activityTaskScheduledEventAttributes',
  'timerStartedEventAttributes',
  'workflowExecutionSignaledEventAttributes',
  'upsertWorkflowSearchAttributesEventAttributes',
  'startChildWorkflowExecutionInitiatedEventAttributes',
]);

/**
 * What many integrations that poll cost when nothing changes: the actions that their schedules make Temporal take, and
 * the worker's processor, as a share of one core. The schedules are the engine's own, every quarter of an hour. Nothing of
 * the integrations was imported, so a round asks the host for nothing: what is measured is the schedule and its runs.
 */
export const bench: Bench = ({ say, scale }) => {
  const integrations = Math.max(20, Math.round(INTEGRATIONS * scale));
  const measuredMs = 1_000 * Math.max(60, SECONDS * scale);
  const simulator = { quiet: '2', authors: '2' };
  return withStand({ say, simulator, environment: { POLL_INTERVAL_MS: '0' } }, async (stand) => {
    const { organizationId, integrationId } = await connect(stand, ['repositories', 'pull_requests']);
    const connection = await TemporalConnection.connect({ address: stand.temporalAddress });
    try {
      const client = new Client({ connection, namespace: stand.namespace });
      const without = await workerShare(stand, measuredMs);
      const ids = await copyIntegration(stand, integrationId, integrations);
      for (let at = 0; at < ids.length; at += AT_ONCE) {
        await Promise.all(
          ids.slice(at, at + AT_ONCE).map((id) =>
            schedulePolls(client, {
              organizationId,
              integrationId: id,
              taskQueue: 'ingestion',
              name: `Copy ${id}`,
              active: true,
              intervalMs: INTERVAL_MS,
            }),
          ),
        );
      }
      say(`${ids.length} schedules, each every ${INTERVAL_MS / 60_000} minutes`);
      await sleep(SETTLE_MS);
      const since = new Date();
      const share = await workerShare(stand, measuredMs);
      const seconds = (Date.now() - since.getTime()) / 1_000;
      const { rounds, actions } = await roundsSince(client, since);
      say(
        `${rounds} rounds in ${round(seconds)} s with ${round(actions, 1)} actions each; the worker took ${round(share * 100, 1)} % of a core, and ${round(without * 100, 1)} % without them`,
      );
      return {
        integrations: ids.length,
        actions_per_second: round((rounds * actions) / seconds, 2),
        idle_cpu_share: round(share, 4),
        idle_cpu_share_without: round(without, 4),
      };
    } finally {
      await connection.close();
    }
  });
};

/** Processor time of the worker over a while, as a share of one core. */
async function workerShare(stand: Stand, forMs: number): Promise<number> {
  const spent = async (): Promise<number> => (await stand.cpu())['worker'] ?? Number.NaN;
  const before = await spent();
  const beganMs = performance.now();
  await sleep(forMs);
  return ((await spent()) - before) / ((performance.now() - beganMs) / 1_000);
}

/** More active integrations like this one, of the same organization and credential; their ids. */
async function copyIntegration({ sql }: Stand, integrationId: string, copies: number): Promise<string[]> {
  const ids = Array.from({ length: copies }, () => uuid());
  await sql`
    insert into integrations (id, organization_id, state, name, services, allowed_services, discovery_state, credential_id)
    select copy.id, i.organization_id, i.state, 'Copy ' || copy.id, i.services, i.allowed_services, i.discovery_state,
      i.credential_id
    from integrations i, unnest(${ids}::uuid[]) as copy (id) where i.id = ${integrationId}`;
  return ids;
}

/** How many rounds began since, and how many actions one takes. */
async function roundsSince(client: Client, since: Date): Promise<{ rounds: number; actions: number }> {
  let rounds = 0;
  let counted = 0;
  let sampled = 0;
  const query = `WorkflowType = "pollIntegration" and StartTime >= "${since.toISOString()}"`;
  for await (const run of client.workflow.list({ query })) {
    rounds += 1;
    if (sampled === SAMPLES || run.status.name !== 'COMPLETED') continue;
    const { events } = await client.workflow.getHandle(run.workflowId, run.runId).fetchHistory();
    sampled += 1;
    // The schedule's own, beside the start of what it starts.
    counted += 1;
    for (const event of events ?? []) if (ACTIONS.has(event.attributes ?? '')) counted += 1;
  }
  if (sampled === 0) throw new Error('No round came to its end while it was measured: measure for longer.');
  return { rounds, actions: counted / sampled };
}
