import { setTimeout as sleep } from 'node:timers/promises';

const TICK_MS = 2;

export interface Sent {
  /** from 0 */
  number: number;
  /** of the answer; 0: none came */
  status: number;
  tookMs: number;
}

/**
 * Sends at a steady rate, whatever the answers do (an open loop). The time of a request counts from when it was to be
 * sent, so a sender that falls behind makes nothing look better. In the order of the answers.
 */
export async function openLoop(
  { perSecond, seconds }: { perSecond: number; seconds: number },
  send: (number: number) => Promise<number>,
): Promise<Sent[]> {
  const total = Math.round(perSecond * seconds);
  const sent: Sent[] = [];
  const answers: Promise<void>[] = [];
  const beganMs = performance.now();
  for (let n = 0; n < total; ) {
    const dueByNow = Math.min(total, Math.ceil(((performance.now() - beganMs) * perSecond) / 1_000));
    for (; n < dueByNow; n += 1) {
      const number = n;
      const plannedMs = beganMs + (number * 1_000) / perSecond;
      answers.push(
        send(number).then(
          (status) => void sent.push({ number, status, tookMs: performance.now() - plannedMs }),
        ),
      );
    }
    await sleep(TICK_MS);
  }
  await Promise.all(answers);
  return sent;
}

/** What a share of the requests took at most, 1 being all of them; 0 when there were none. */
export function percentiles(sent: readonly Sent[]): (share: number) => number {
  const sorted = sent.map(({ tookMs }) => tookMs).toSorted((one, other) => one - other);
  return (share) => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
}

/** How many answers there were of each status. */
export function countStatuses(sent: readonly Sent[]): Record<string, number> {
  const statuses: Record<string, number> = {};
  for (const { status } of sent) statuses[status] = (statuses[status] ?? 0) + 1;
  return statuses;
}
