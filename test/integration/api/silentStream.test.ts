import { afterAll, beforeAll, expect, test } from 'vitest';
import { HEARTBEAT_MS } from '../../../api/newsSender.ts';
import { createOperator } from '../../../scripts/apiKeys/operator.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createLocalApi } from '../../support/localApi.ts';
import { parseEvents } from '../../support/serverSentEvents.ts';

/** What is silent for long is kept open: an event stream by comments, a connection between two requests by the server. */
const bench = useDatabaseBench({ role: 'worker' });
/** Proxies, and load balancers, close what was silent for so long. */
const A_MINUTE_MS = 60_000;
const SHORT_MS = 200;
/** Long before the first comment of a stream that knows nothing of the short time. */
const PATIENCE_MS = HEARTBEAT_MS / 2;
const COMMENT = ': still here\n\n';

let api: ReturnType<typeof createLocalApi>;
let address: string;
let key: string;
let importId: string;
beforeAll(async () => {
  const { apiUrl, ownerUrl } = bench.testDatabase;
  api = createLocalApi({ databaseUrl: apiUrl, more: { eventHeartbeatMs: SHORT_MS } });
  address = await api.listen();
  // Nobody works on it.
  const tenant = await bench.tenant('active');
  importId = await tenant.storeImport({ all: true });
  const operator = createOperator(ownerUrl);
  ({ key } = await operator.createKey({ organization: tenant.organizationId, role: 'viewer' }));
  await operator.end();
});
afterAll(() => api?.close());

/** The stream of the import's events until it says `enough`, or patience is at its end. */
async function read(enough: (text: string) => boolean): Promise<string> {
  const abort = new AbortController();
  const answer = await fetch(`${address}/v1/imports/${importId}/events`, {
    headers: { authorization: `Bearer ${key}` },
    signal: AbortSignal.any([abort.signal, AbortSignal.timeout(PATIENCE_MS)]),
  });
  if (answer.status !== 200 || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of answer.body) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  abort.abort();
  return text;
}

test('an import of which nothing is to be told: comments in its interval, which no client takes for an event', async () => {
  const beganMs = performance.now();
  const text = await read((so) => so.split(COMMENT).length > 3);
  // Each behind a silence of its own.
  expect(performance.now() - beganMs).toBeGreaterThan(3 * SHORT_MS);
  expect(parseEvents(text).map(({ event }) => event)).toEqual(['progress']);
  // One more may have come with the last.
  const comments = text.slice(text.indexOf(COMMENT));
  expect(comments).toBe(COMMENT.repeat(comments.length / COMMENT.length));
  expect(HEARTBEAT_MS).toBeLessThan(A_MINUTE_MS / 2);
});

test('an idle connection is closed later than those before the server close it, and a stream is not cut off', async () => {
  const answer = await fetch(`${address}/livez`);
  expect(answer.headers.get('connection')).toBe('keep-alive');
  expect(answer.headers.get('keep-alive')).toBe('timeout=75');
  const server = api.httpServer();
  expect(server?.keepAliveTimeout).toBe(75_000);
  expect(server?.keepAliveTimeout).toBeGreaterThan(A_MINUTE_MS);
  // However long it is silent while it answers; and no number of requests ends a connection.
  expect(server?.timeout).toBe(0);
  expect(server?.maxRequestsPerSocket).toBe(0);
});
