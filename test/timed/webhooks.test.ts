import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../platform/secrets/secret.ts';
import { KEY_FILES } from '../../scripts/keys/keyFolder.ts';
import { createTenant, type TestTenant } from '../support/integrationRows.ts';
import { isSoak } from '../support/seeds.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';
import { createHook, pushBody, type TestHook } from '../support/webhooks.ts';

/** The api is killed this often while deliveries come. Row F46 is about 500, which a soak run takes. */
const KILLS = isSoak() ? 500 : 4;
const SENDERS = 8;

let stack: Stack;
let sql: postgres.Sql;
let tenant: TestTenant;
let hook: TestHook;

beforeAll(async () => {
  stack = await createStack({ simulator: { size: 'tiny' } });
  sql = postgres(stack.database.superuserUrl, { max: 2, onnotice: () => {} });
  tenant = await createTenant(sql, 'active');
  await tenant.repositories(1);
  const key = await readFile(join(stack.folder, 'keys', KEY_FILES.webhookKey), 'utf8');
  hook = await createHook(sql, tenant, { key: new Secret(key.trim()) });
});
afterAll(async () => {
  await sql?.end();
  await stack?.close();
});

async function post(distinct: string): Promise<number> {
  const { headers, body } = hook.delivery('repo:push', pushBody(`{${randomUUID()}}`, distinct));
  const answer = await fetch(`${stack.apiUrl}${hook.path}`, { method: 'POST', headers, body }).catch(
    () => undefined,
  );
  return answer?.status ?? 0;
}

const storedOf = async (): Promise<Set<string>> =>
  new Set(
    (
      await sql<{ distinct: string }[]>`
      select convert_from(body, 'UTF8')::jsonb ->> 'distinct' as distinct from webhook_deliveries
      where webhook_id = ${hook.id}`
    ).map((row) => row.distinct),
  );

test('what was answered 2xx is stored, however often the api is killed between (F46)', {
  timeout: KILLS * 60_000,
}, async () => {
  const acknowledged: string[] = [];
  let unanswered = 0;
  const over = new AbortController();
  const senders = Array.from({ length: SENDERS }, async () => {
    while (!over.signal.aborted) {
      const distinct = randomUUID();
      const status = await post(distinct);
      if (status === 202) acknowledged.push(distinct);
      else unanswered += 1;
    }
  });
  for (let kill = 0; kill < KILLS; kill += 1) {
    const before = acknowledged.length;
    await waitFor({
      what: 'deliveries are stored',
      read: () => acknowledged.length,
      until: (count) => count > before + 3 * SENDERS,
      timeoutMs: 60_000,
    });
    await stack.restartApi('kill');
  }
  over.abort();
  await Promise.all(senders);
  expect(unanswered).toBeGreaterThan(0);
  const stored = await storedOf();
  expect(acknowledged.filter((distinct) => !stored.has(distinct))).toEqual([]);
  // Nobody waits for these repositories: the worker's relay has set all of them aside by itself.
  await waitFor({
    what: 'every delivery is done',
    read: async () => (await sql`select 1 from webhook_deliveries where outcome is null`).length,
    until: (waiting) => waiting === 0,
    timeoutMs: 60_000,
  });
});

test('a delivery that does not come to its end is given up, and keeps nobody waiting (S20)', async () => {
  const { port } = new URL(stack.apiUrl);
  const sockets: Socket[] = [];
  const open = (start: string) =>
    new Promise<{ closedAfterMs: Promise<number> }>((resolve, reject) => {
      const beganMs = performance.now();
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(start);
        const closedAfterMs = new Promise<number>((closed) => {
          socket.once('close', () => closed(performance.now() - beganMs));
        });
        resolve({ closedAfterMs });
      });
      socket.once('error', reject);
      socket.resume();
      sockets.push(socket);
    });
  const request = `POST ${hook.path} HTTP/1.1\r\nHost: x\r\n`;
  const slow = await Promise.all(Array.from({ length: 300 }, () => open(request)));
  const { headers } = hook.delivery('repo:push', randomBytes(8));
  const signed = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // The rest of its body never comes.
  const lying = await open(`${request}${signed.join('')}Content-Length: 1000\r\n\r\n{`);
  const beganMs = performance.now();
  expect(await post(randomUUID())).toBe(202);
  expect(performance.now() - beganMs).toBeLessThan(2_000);
  for (const { closedAfterMs } of slow) expect(await closedAfterMs).toBeLessThan(15_000);
  expect(await lying.closedAfterMs).toBeLessThan(20_000);
  for (const socket of sockets) socket.destroy();
});
