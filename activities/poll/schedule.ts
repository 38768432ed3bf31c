import { createHash } from 'node:crypto';
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { summary } from '../../workflows/details.ts';
import { pollId } from '../../workflows/ids.ts';
import { INTEGRATION_ID, ORGANIZATION_ID } from '../../workflows/searchAttributes.ts';

export interface PollSchedule {
  organizationId: string;
  integrationId: string;
  taskQueue: string;
  name: string | null;
  /** false: it rests, and is there to be seen */
  active: boolean;
  intervalMs: number;
}

/**
 * Makes the schedule of an integration's poll rounds, or changes the one that is there. Rounds of many integrations are
 * spread over the interval by an offset of each one's own; a jitter would stretch the time between two rounds.
 */
export async function schedulePolls(client: Client, input: PollSchedule): Promise<void> {
  const { organizationId, integrationId, taskQueue, active, intervalMs } = input;
  const scheduleId = pollId(integrationId);
  const spec = { intervals: [{ every: intervalMs, offset: offsetOf(integrationId, intervalMs) }] };
  const action = {
    type: 'startWorkflow' as const,
    workflowType: 'pollIntegration',
    workflowId: scheduleId,
    taskQueue,
    args: [{ organizationId, integrationId }],
    staticSummary: summary(`Find what changed – ${input.name ?? 'integration'}`),
    typedSearchAttributes: [
      { key: ORGANIZATION_ID, value: organizationId },
      { key: INTEGRATION_ID, value: integrationId },
    ],
  };
  // A round that is still under way is not joined by another; what was missed while Temporal was down is found by the next.
  const policies = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' as const };
  const note = active ? 'The integration is active.' : 'The integration fetches nothing at present.';
  try {
    await client.schedule.create({
      scheduleId,
      spec,
      action,
      policies,
      state: { paused: !active, note },
      typedSearchAttributes: action.typedSearchAttributes,
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const handle = client.schedule.getHandle(scheduleId);
    const { state } = await handle.describe();
    await handle.update((present) => ({
      ...present,
      spec,
      action,
      policies,
      state: { ...present.state, paused: !active, note },
    }));
    // What changed while it rested is found now, not in a quarter of an hour.
    if (active && state.paused) await handle.trigger(policies.overlap);
  }
}

/** Deletes the schedule of an integration's poll rounds; none is fine. */
export async function unschedulePolls(client: Client, integrationId: string): Promise<void> {
  try {
    await client.schedule.getHandle(pollId(integrationId)).delete();
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
}

/** Milliseconds into the interval, the same for the same integration. */
function offsetOf(integrationId: string, intervalMs: number): number {
  return createHash('sha256').update(integrationId).digest().readUInt32BE(0) % intervalMs;
}
