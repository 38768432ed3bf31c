import { getEventListeners } from 'node:events';
import { Agent, get } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeHttpServer } from '../../../api/httpServer.ts';
import { createOperator } from '../../../scripts/apiKeys/operator.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createLocalApi } from '../../support/localApi.ts';
import { parseEvents } from '../../support/serverSentEvents.ts';
import { createTcpProxy } from '../../support/tcpProxy.ts';

const bench = useDatabaseBench({ role: 'worker' });

let path: string;
let headers: { authorization: string };
beforeAll(async () => {
  // Nobody works on it.
  const tenant = await bench.tenant('active');
  path = `/v1/imports/${await tenant.storeImport({ all: true })}/events`;
  const operator = createOperator(bench.testDatabase.ownerUrl);
  const { key } = await operator.createKey({ organization: tenant.organizationId, role: 'viewer' });
  headers = { authorization: `Bearer ${key}` };
  await operator.end();
});

const apis: ReturnType<typeof createLocalApi>[] = [];
afterAll(() => Promise.all(apis.map((api) => api.close())));

async function listen(databaseUrl = bench.testDatabase.apiUrl) {
  const stopping = new AbortController();
  const api = createLocalApi({ databaseUrl, more: { stopping: stopping.signal } });
  apis.push(api);
  const address = await api.listen();
  return { api, address, stopping, streams: () => getEventListeners(stopping.signal, 'abort').length };
}

test('HEAD answers with the headers of a stream, opens none, and knows who may see it', async () => {
  const { address, streams } = await listen();
  const answer = await fetch(address + path, { method: 'HEAD', headers });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect(streams()).toBe(0);
  const foreign = `${address}/v1/imports/01990000-0000-7000-8000-000000000001/events`;
  expect((await fetch(foreign, { method: 'HEAD', headers })).status).toBe(404);
  expect((await fetch(address + path, { method: 'HEAD' })).status).toBe(401);
});

test('a stream that the database leaves ends without a word that is not of the document', async () => {
  const url = new URL(bench.testDatabase.apiUrl);
  const proxy = await createTcpProxy(url.host);
  url.host = proxy.address;
  const { api, address, streams } = await listen(url.href);
  const answer = await fetch(address + path, { headers });
  const text = answer.text();
  await proxy.close();
  expect(parseEvents(await text).map(({ event }) => event)).toEqual(['progress']);
  expect(streams()).toBe(0);
  expect(api.log.filter((line) => line.includes('An event stream broke off'))).toHaveLength(1);
});

test('a follower that comes again and again on its kept connection does not hold up the end of the process', async () => {
  const { api, address, stopping } = await listen();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const began = new Promise<void>((resolve, reject) => {
    const follow = (): void => {
      get(address + path, { agent, headers }, (answer) => {
        resolve();
        answer.resume().on('end', () => setImmediate(follow));
      }).on('error', reject);
    };
    follow();
  });
  await began;
  const startedAt = performance.now();
  stopping.abort();
  await closeHttpServer(api.httpServer()!, 15_000);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
