import { createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { freePort } from '../../../scripts/servers/freePort.ts';

const FIRST_OF_OUTGOING_CONNECTIONS = 32_768;

const listening = (port: number): Promise<Server> =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server));
  });

test('a port that nobody prefers is none that an outgoing connection takes before a server listens', async () => {
  for (let i = 0; i < 20; i += 1) expect(await freePort()).toBeLessThan(FIRST_OF_OUTGOING_CONNECTIONS);
});

test('where the preferred port is taken, it is the next one that is free', async () => {
  const preferred = await freePort();
  const server = await listening(preferred);
  onTestFinished(() => void server.close());
  const next = await freePort(preferred);
  expect(next).toBeGreaterThan(preferred);
  (await listening(next)).close();
});
