import { createHash } from 'node:crypto';
import {
  type Client,
  ScheduleAlreadyRunning,
  ScheduleNotFoundError,
  ScheduleOverlapPolicy,
} from '@temporalio/client';
import { mustBeInTime } from '../../platform/attempt.ts';
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

/** What a schedule says of itself in Temporal UI; an operator who pauses one says something else, and is left alone. */
const NOTES = {
  active: 'The integration is active.',
  rests: 'The integration fetches nothing at present.',
};

/**
 * Makes the schedule of an integration's poll rounds, or changes the one that is there. Rounds of many integrations are
 * spread over the interval by an offset of each one's own; a jitter would stretch the time between two rounds.
 */
export async function schedulePolls(client: Client, input: PollSchedule): Promise<void> {
  const { active } = input;
  const schedule = scheduleOf(input);
  try {
    await client.schedule.create(schedule);
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    const { scheduleId, spec, action, policies } = schedule;
    const handle = client.schedule.getHandle(scheduleId);
    const { state } = await handle.describe();
    // The word of an attempt that froze here is not the last one.
    mustBeInTime();
    await handle.update((present) => ({
      ...present,
      spec,
      action,
      policies,
      state: { ...present.state, ...schedule.state },
    }));
    // What changed while it rested is found now, not in a quarter of an hour.
    if (active && state.paused) await handle.trigger(policies.overlap);
  }
}

/**
 * Gives the schedule of an active integration the interval, or makes it where there is none, and ends its own rest: an update
 * writes back what it has read, so one of these may have undone what the integration's run said in between. Where the run has
 * it rest at this moment, a round more begins, sees that, and does nothing. False: all was so already.
 */
export async function spacePolls(client: Client, input: PollSchedule): Promise<boolean> {
  const schedule = scheduleOf(input);
  const handle = client.schedule.getHandle(schedule.scheduleId);
  try {
    const [present] = (await handle.describe()).spec.intervals ?? [];
    const wanted = spacingOf(input);
    const isSpaced = present?.every === wanted.every && present.offset === wanted.offset;
    if (!isSpaced) await handle.update((before) => ({ ...before, spec: schedule.spec }));
    const { paused, note } = (await handle.describe()).state;
    const rests = paused && note === NOTES.rests;
    if (rests) await handle.unpause(NOTES.active);
    return !isSpaced || rests;
  } catch (error) {
    if (!(error instanceof ScheduleNotFoundError)) throw error;
  }
  try {
    await client.schedule.create(schedule);
    return true;
  } catch (error) {
    if (error instanceof ScheduleAlreadyRunning) return false;
    throw error;
  }
}

/** Deletes the schedule of an integration's poll rounds; false: there was none. */
export async function unschedulePolls(client: Client, integrationId: string): Promise<boolean> {
  try {
    await client.schedule.getHandle(pollId(integrationId)).delete();
    return true;
  } catch (error) {
    if (error instanceof ScheduleNotFoundError) return false;
    throw error;
  }
}

function scheduleOf(input: PollSchedule) {
  const { organizationId, integrationId, taskQueue, name, active } = input;
  const scheduleId = pollId(integrationId);
  const typedSearchAttributes = [
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
  ];
  return {
    scheduleId,
    spec: { intervals: [spacingOf(input)] },
    action: {
      type: 'startWorkflow' as const,
      workflowType: 'pollIntegration',
      workflowId: scheduleId,
      taskQueue,
      args: [{ organizationId, integrationId }],
      staticSummary: summary(`Find what changed – ${name ?? 'integration'}`),
      typedSearchAttributes,
    },
    // A round that is still under way is not joined by another; what was missed while Temporal was down is found by the next.
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 minute' as const },
    state: {
      paused: !active,
      note: active ? NOTES.active : NOTES.rests,
    },
    typedSearchAttributes,
  };
}

const spacingOf = ({ integrationId, intervalMs }: PollSchedule) => ({
  every: intervalMs,
  offset: offsetOf(integrationId, intervalMs),
});

/** Milliseconds into the interval, the same for the same integration. */
function offsetOf(integrationId: string, intervalMs: number): number {
  return createHash('sha256').update(integrationId).digest().readUInt32BE(0) % intervalMs;
}
