import { describe, expect, test } from 'vitest';
import type { RelayClock } from '../../../worker/relay/relay.ts';
import { waitFor } from '../../support/waitFor.ts';
import { pushBody } from '../../support/webhooks.ts';
import { recordingWaker, useRelays } from './relays.ts';

const { bench, situation, deliver, outcomes, relay } = useRelays();

/** Time stands still, and each rest lasts until the test ends it. */
function clockInHand() {
  const restsMs: number[] = [];
  let endRest = (): void => {};
  const clock: RelayClock = {
    nowMs: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
        endRest = resolve;
        restsMs.push(ms);
      }),
  };
  const untilItRests = (times: number) =>
    waitFor({ what: 'it rests', read: () => restsMs.length, until: (count) => count === times });
  return {
    clock,
    restsMs,
    untilItRests,
    /** What it does between this rest and its next one. */
    async look(): Promise<void> {
      const times = restsMs.length;
      endRest();
      await untilItRests(times + 1);
    },
  };
}

describe('an idle relay, which nobody tells of a delivery,', () => {
  async function idle() {
    const here = await situation();
    const { waker, sent } = recordingWaker();
    const time = clockInHand();
    relay(waker, { clock: time.clock });
    await time.untilItRests(1);
    await deliver(here, 'repo:push', [pushBody(here.repositories[0]!.uuid)]);
    return { here, sent, time };
  }

  test('hands it on at its next look, 250 ms after the one before at most', async () => {
    const { here, sent, time } = await idle();
    await time.look();
    expect(sent).toHaveLength(1);
    expect(await outcomes(here)).toEqual([{ outcome: 'woken', reason: null, count: 1 }]);
    await time.look();
    expect(time.restsMs).toEqual([250, 250, 250]);
  });

  test('hands it on one look later where Postgres refused a look', async () => {
    const { here, sent, time } = await idle();
    await bench.sql`alter function lookup_due_webhook_deliveries rename to hidden_look_up`;
    try {
      await time.look();
    } finally {
      await bench.sql`alter function hidden_look_up rename to lookup_due_webhook_deliveries`;
    }
    expect(await outcomes(here)).toEqual([{ outcome: null, reason: null, count: 1 }]);
    await time.look();
    expect(sent).toHaveLength(1);
    expect(await outcomes(here)).toEqual([{ outcome: 'woken', reason: null, count: 1 }]);
    expect(time.restsMs).toEqual([250, 250, 250]);
  });
});
