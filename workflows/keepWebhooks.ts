import {
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import type { Limited } from './contracts/waiting.ts';
import { clock, summary } from './details.ts';
import { readFailure } from './failures.ts';
import type { KeepWebhooksInput } from './inputs.ts';
import { createLimitTimer } from './limitTimer.ts';
import { isRefusal, tellRefused } from './limits.ts';
import { isLongHistory } from './longHistory.ts';
import { allowanceFreed, webhooksCommanded } from './messages.ts';
import { bitbucketChunk, rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';
import { WEBHOOK_TIMING } from './timing.ts';
import type { Finding, IntegrationState, WebhookUpkeepState } from './words.ts';

/** From then on a command is heard until the very end. */
const HEARS_TO_THE_END = 'webhooks-commanded-at-the-end';
/** From then on a command ends a wait: what is wanted now may need none. */
const COMMAND_ENDS_WAIT = 'webhooks-commanded-while-waiting';

/**
 * Sees to the webhooks of an integration for as long as it wants them. Id: `integration/{integrationId}/webhooks`: so no
 * two runs register, rotate or remove at the same time.
 *
 *  1. A round: one bounded chunk after the other, until every hook was looked up at Bitbucket and is as it shall be, or
 *     its row says why not. At a limit of Bitbucket, sleep on a timer that says until when; a signal ends it early.
 *  2. Store how it went. A round that could not be done is no end: the next one tries again. A refused credential is also
 *     told to the integration, which confirms it.
 *  3. Sleep until the next round, within the hour; a command begins one at once.
 *
 * It ends when none are wanted and none are left. What is wanted, and how each hook stands, is in rows.
 */
export async function keepWebhooks(input: KeepWebhooksInput): Promise<void> {
  const { organizationId, integrationId } = input;
  const ids = { organizationId, integrationId };
  const timing = { ...WEBHOOK_TIMING, ...input.timing };
  let commanded = false;
  let freed = false;
  setHandler(webhooksCommanded, () => void (commanded = true), { description: 'Begin a round now.' });
  setHandler(allowanceFreed, () => void (freed = true), {
    description: 'End a wait for the request budget early.',
  });
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
  ]);
  let cursor = input.carried?.cursor ?? null;
  let resting: IntegrationState | undefined;
  const limitTimer = createLimitTimer();

  for (;;) {
    // A command that comes while a round is under way begins another one.
    commanded = false;
    await store('running', 'looks up the webhooks at Bitbucket', { begins: true });
    const outcome = await round();
    if (outcome === 'off' && !commanded) {
      await store('done', 'none are wanted, and none are left');
      // A command that came meanwhile found this run alive, and began no other.
      if (!commanded || !patched(HEARS_TO_THE_END)) return;
    }
    if (outcome !== 'long') {
      // The next round looks at everything again, also after one that broke off.
      cursor = null;
      if (!commanded && outcome !== 'off') await untilNext(outcome);
    }
    if (isLong()) await goOnAnew();
  }

  /** Steps 1 and 2: what went wrong, if anything did. */
  async function round(): Promise<Finding | 'off' | 'long' | null> {
    let steps = 0;
    try {
      for (;;) {
        freed = false;
        const chunk = await chunkOrLimit(steps);
        if ('until' in chunk) {
          await waitFor(chunk);
          continue;
        }
        cursor = chunk.cursor;
        resting = chunk.resting;
        steps += chunk.steps;
        if (chunk.off) return 'off';
        if (!chunk.more) return null;
        if (chunk.limited !== undefined) await waitFor(chunk.limited);
        if (isLong()) return 'long';
      }
    } catch (error) {
      const { type, finding } = readFailure(error);
      if (isRefusal(type)) await tellRefused(integrationId, finding);
      return finding;
    }
  }

  /** A limit that the activity met by an error is waited for like one that it returned. */
  async function chunkOrLimit(steps: number) {
    try {
      return await bitbucketChunk().keepWebhooksChunk.executeWithOptions(
        { summary: `webhooks · ${steps} steps of this round so far` },
        [{ ...ids, cursor }],
      );
    } catch (error) {
      const { limited } = readFailure(error);
      if (limited === null) throw error;
      return limited;
    }
  }

  async function waitFor({ until, why }: Limited): Promise<void> {
    if (freed) return;
    // A command ends a wait once: what is wanted now may meet the same limit.
    const wasCommanded = commanded;
    const untilMs = Date.parse(until);
    const saying = summary(`${why}; goes on ${clock(untilMs, Date.now())}`);
    await store('rate_limited', saying, { waiting: { until, why } });
    const hearsCommand = !wasCommanded && patched(COMMAND_ENDS_WAIT);
    await limitTimer(untilMs, () => freed || (hearsCommand && commanded), saying);
    await store('running', 'looks up the webhooks at Bitbucket');
  }

  /** Step 3. */
  async function untilNext(finding: Finding | null): Promise<void> {
    const waitMs = Math.round(timing.everyMs * (1 - 0.1 * Math.random()));
    const nextMs = Date.now() + waitMs;
    const rests = resting === undefined ? 'all looked up' : `not looked up: the integration is ${resting}`;
    const saying = `${finding === null ? rests : `failed (${finding.code})`}; again ${clock(nextMs, Date.now())}`;
    await store(finding === null ? 'done' : 'failed', saying, {
      ...(finding === null ? {} : { error: finding }),
      ...(finding === null && resting !== undefined ? { rested: true as const } : {}),
      nextRoundAt: new Date(nextMs).toISOString(),
    });
    if (!commanded) await condition(() => commanded, waitMs, { summary: summary(saying) });
  }

  async function store(
    state: WebhookUpkeepState,
    saying: string,
    more: { begins?: true; error?: Finding; waiting?: Limited; nextRoundAt?: string; rested?: true } = {},
  ): Promise<void> {
    upsertSearchAttributes([{ key: STAGE, value: state }]);
    setCurrentDetails(`Webhooks – ${saying}. Which there are, and why others are not: their rows.`);
    await rows().setWebhookUpkeep.executeWithOptions({ summary: `store state ${state}` }, [
      { ...ids, state, ...more },
    ]);
  }

  function isLong(): boolean {
    return isLongHistory(timing.historyLimit);
  }

  function goOnAnew(): Promise<never> {
    const { timing: given } = input;
    return continueAsNew<typeof keepWebhooks>({
      ...ids,
      ...(given === undefined ? {} : { timing: given }),
      // A command that came meanwhile wants a round of its own.
      carried: { cursor: commanded ? null : cursor },
    });
  }
}
