import { createHmac, randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { countStatuses, openLoop, percentiles } from '../openLoop.ts';
import type { LoadInput, LoadResult } from './input.ts';

/** Bitbucket waits for ten seconds. */
const TIMEOUT_MS = 10_000;

/** Sends deliveries at a steady rate over connections that are kept. */
export async function sendAll(input: LoadInput): Promise<LoadResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: 2_000, scheduling: 'lifo' });
  const filler = randomBytes(input.bytes).toString('base64url');
  const sent = await openLoop(input, (number) => post(input, agent, bodyOf(input, number, filler)));
  agent.destroy();
  const refused = sent.filter(({ status }) => status < 200 || status > 299).map(({ number }) => number);
  const at = percentiles(sent);
  return {
    sent: sent.length,
    statuses: countStatuses(sent),
    refused,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
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
