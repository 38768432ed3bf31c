import { getEventListeners, once, setMaxListeners } from 'node:events';
import { Agent, get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ApiDependencies } from '../../../api/dependencies.ts';
import { closeHttpServer } from '../../../api/httpServer.ts';
import { createOperator } from '../../../scripts/apiKeys/operator.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createLocalApi } from '../../support/localApi.ts';
import { parseEvents } from '../../support/serverSentEvents.ts';
import { createTcpProxy } from '../../support/tcpProxy.ts';
import { waitFor } from '../../support/waitFor.ts';

const bench = useDatabaseBench({ role: 'worker' });

const FOREIGN = '/v1/imports/01990000-0000-7000-8000-000000000001/events';
/** Streams of one key. */
const MOST = 20;

let path: string;
let importId: string;
let organizationId: string;
let headers: { authorization: string };
beforeAll(async () => {
  // Nobody works on it.
  const tenant = await bench.tenant('active');
  organizationId = tenant.organizationId;
  importId = await tenant.storeImport({ all: true });
  path = `/v1/imports/${importId}/events`;
  const operator = createOperator(bench.testDatabase.ownerUrl);
  const { key } = await operator.createKey({ organization: tenant.organizationId, role: 'viewer' });
  headers = { authorization: `Bearer ${key}` };
  await operator.end();
});

const apis: ReturnType<typeof createLocalApi>[] = [];
afterAll(() => Promise.all(apis.map((api) => api.close())));

async function listen(databaseUrl = bench.testDatabase.apiUrl, more: Partial<ApiDependencies> = {}) {
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const api = createLocalApi({ databaseUrl, more: { stopping: stopping.signal, ...more } });
  apis.push(api);
  const address = await api.listen();
  return { api, address, stopping, streams: () => getEventListeners(stopping.signal, 'abort').length };
}

test('HEAD answers with the headers of a stream, opens none, and knows who may see it', async () => {
  const { address, streams } = await listen();
  const answer = await fetch(address + path, { method: 'HEAD', headers });
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream']);
  expect(streams()).toBe(0);
  expect((await fetch(address + FOREIGN, { method: 'HEAD', headers })).status).toBe(404);
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

/** A follower on a connection of its own, who leaves when it is destroyed. */
const follow = (address: string) =>
  new Promise<IncomingMessage>((resolve, reject) => {
    get(address + path, { agent: false, headers }, resolve).on('error', reject);
  });

const untilNone = (streams: () => number) =>
  waitFor({ what: 'no stream is open', read: async () => streams(), until: (count) => count === 0 });

test('one stream of a key too many is refused with what to do; each that ends, however, leaves its place', async () => {
  const { address, streams } = await listen();
  const ask = (to = path, method = 'GET') => fetch(address + to, { method, headers });
  for (let ended = 0; ended <= MOST; ended += 1) {
    expect((await ask(path, 'HEAD')).status).toBe(200);
    expect((await ask(FOREIGN)).status).toBe(404);
  }
  const open = await Promise.all(Array.from({ length: MOST }, () => follow(address)));
  expect(open.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: MOST }, () => 200));
  const refused = await ask();
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
  expect(await refused.json()).toMatchObject({
    code: 'too_many_streams',
    fix: `Close one, or read GET /v1/imports/${importId}.`,
  });
  for (const stream of open) stream.destroy();
  await untilNone(streams);
  const again = await follow(address);
  expect(again.statusCode).toBe(200);
  again.destroy();
});

test('a reader that stopped reading loses its stream and its connection', async () => {
  await bench.sql`insert into import_events (organization_id, import_id, type, data)
    select ${organizationId}, ${importId}, 'repository_started', jsonb_build_object('x', repeat('a', 4000))
    from generate_series(1, 4000)`;
  const { address, streams } = await listen(undefined, { eventWriteMs: 200 });
  const socket = connect(Number(new URL(address).port), '127.0.0.1');
  const gone = once(socket, 'close');
  socket.on('error', () => {});
  socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.authorization}\r\n\r\n`);
  await once(socket, 'readable');
  await untilNone(streams);
  // Whatever it had taken by then is all that it gets.
  socket.resume();
  await gone;
  expect(socket.bytesRead).toBeLessThan(4_000 * 4_000);
});
