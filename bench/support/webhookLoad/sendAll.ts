import { createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadInput, LoadResult } from './input.ts';

const TICK_MS = 2;
/** Bitbucket waits for ten seconds. */
const TIMEOUT_MS = 10_000;

/**
 * Sends at a steady rate, whatever the answers do (an open loop), over connections that are kept. The time of a delivery
 * counts from when it was to be sent, so a sender that falls behind makes nothing look better.
 */
export async function sendAll(input: LoadInput): Promise<LoadResult> {
  const total = Math.round(input.perSecond * input.seconds);
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000, scheduling: 'lifo' });
  const tookMs: number[] = [];
  const statuses: Record<string, number> = {};
  const refused: number[] = [];
  const answers: Promise<void>[] = [];
  const filler = randomBytes(input.bytes).toString('base64url');
  const beganMs = performance.now();
  for (let n = 0; n < total; ) {
    const dueByNow = Math.min(total, Math.ceil(((performance.now() - beganMs) * input.perSecond) / 1_000));
    for (; n < dueByNow; n += 1) {
      const number = n;
      const plannedMs = beganMs + (number * 1_000) / input.perSecond;
      answers.push(
        post(input, agent, bodyOf(input, number, filler)).then((status) => {
          tookMs.push(performance.now() - plannedMs);
          statuses[status] = (statuses[status] ?? 0) + 1;
          if (status < 200 || status > 299) refused.push(number);
        }),
      );
    }
    await sleep(TICK_MS);
  }
  await Promise.all(answers);
  agent.destroy();
  const sorted = tookMs.toSorted((one, other) => one - other);
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? 0;
  return { sent: total, statuses, refused, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** A push of about the wished size. */
function bodyOf({ load, repositories, bytes }: LoadInput, number: number, filler: string): Buffer {
  const uuid = repositories[number % repositories.length];
  const start = JSON.stringify({ push: { changes: [] }, repository: { uuid }, load, number });
  const rest = Math.max(0, bytes - start.length - ',"filler":""'.length);
  return Buffer.from(`${start.slice(0, -1)},"filler":"${filler.slice(0, rest)}"}`);
}

/** The status of the answer; 0: none came. */
function post({ url, secret }: LoadInput, agent: Agent, body: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const sending = request(
      url,
      {
        method: 'POST',
        agent,
        timeout: TIMEOUT_MS,
        headers: {
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          'X-Event-Key': 'repo:push',
          'X-Request-UUID': randomBytes(16).toString('hex'),
          'X-Attempt-Number': '1',
          'X-Hub-Signature': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
        },
      },
      (answer) => {
        answer.resume();
        answer.once('end', () => resolve(answer.statusCode ?? 0));
      },
    );
    sending.once('timeout', () => sending.destroy());
    sending.once('error', () => resolve(0));
    sending.end(body);
  });
}
