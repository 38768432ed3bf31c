import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createDatabase, type Database } from '../../../db/client.ts';
import { sweep } from '../../../worker/sweep.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTenant, type TestTenant } from '../../support/integrationRows.ts';
import { createLocalApi, WEBHOOK_KEY } from '../../support/localApi.ts';
import { waitFor } from '../../support/waitFor.ts';
import { createHook, pushBody, signature, type TestHook } from '../../support/webhooks.ts';

let testDatabase: TestDatabase;
let sql: postgres.Sql;
let worker: Database;
let api: ReturnType<typeof createLocalApi>;
let tenant: TestTenant;
let hook: TestHook;
let address: string;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  sql = postgres(testDatabase.superuserUrl, { max: 2, onnotice: () => {} });
  worker = createDatabase({ url: testDatabase.workerUrl, maxConnections: 1, applicationName: 'sweep' });
  api = createLocalApi({ databaseUrl: testDatabase.apiUrl });
  address = await api.listen();
  ({ tenant, hook } = await freshHook());
});
afterAll(async () => {
  await api.close();
  await worker.end();
  await sql.end();
  await testDatabase.drop();
});

type Delivery = { headers: Record<string, string>; body: Uint8Array };

/** Through the app alone, as an operation like others; or through its HTTP server, which takes deliveries itself. */
const WAYS = ['app', 'server'] as const;
let way: (typeof WAYS)[number] = 'app';

async function freshHook(): Promise<{ tenant: TestTenant; hook: TestHook }> {
  const own = await createTenant(sql, 'active');
  await own.repositories(1);
  return { tenant: own, hook: await createHook(sql, own, { key: WEBHOOK_KEY }) };
}

async function post(path: string, { headers, body }: Delivery): Promise<{ status: number; code?: string }> {
  const init = { method: 'POST', headers, body };
  const answer = way === 'app' ? await api.send(path, init) : await fetch(`${address}${path}`, init);
  const text = await answer.text();
  return { status: answer.status, ...(text === '' ? {} : { code: JSON.parse(text).code }) };
}
const stored = (of: TestHook = hook) => sql`
  select id, organization_id, event_key, request_uuid, attempt, body, repeats, due_at is not null as due
  from webhook_deliveries where webhook_id = ${of.id} order by received_at`;

describe.each(WAYS)('a delivery, through the %s,', (through) => {
  beforeAll(async () => {
    way = through;
    ({ tenant, hook } = await freshHook());
  });
  afterAll(() => void (way = 'app'));

  test('is stored as the bytes that were signed, in its tenant, before it is answered', async () => {
    // no UTF-8, odd spaces, a NUL escape: nothing of it is read
    const body = Buffer.concat([Buffer.from('{"a" :  "\\u0000"}'), Buffer.of(0xff, 0x00)]);
    const delivery = hook.delivery('repo:push', body);
    delivery.headers['X-Attempt-Number'] = '2';
    expect(await post(hook.path, delivery)).toEqual({ status: 202 });
    const [row, ...others] = await stored();
    expect(others).toEqual([]);
    expect(row).toMatchObject({
      organization_id: tenant.organizationId,
      event_key: 'repo:push',
      request_uuid: delivery.headers['X-Request-UUID'],
      attempt: 2,
      due: true,
    });
    expect(Buffer.compare(row!['body'], body)).toBe(0);
  });

  test('is stored as its bytes alone and beside others, text or not', async () => {
    const bodies = ['{"n":"ä€😀"}', '{"n":"\\u0000 \\ud800"}', '\ufeff{"n":1}', '', '\r\n']
      .map((text) => Buffer.from(text))
      .concat(Buffer.of(0xc3), Buffer.of(0x28, 0x00), Buffer.of(0xed, 0xa0, 0x80));
    const before = (await stored()).length;
    const told = await Promise.all(bodies.map((body) => post(hook.path, hook.delivery('repo:push', body))));
    for (const { status } of told) expect(status).toBe(202);
    for (const body of bodies.slice(0, 4))
      expect(await post(hook.path, hook.delivery('repo:fork', body))).toEqual({ status: 202 });
    const rows: string[] = (await stored()).slice(before).map((row) => row['body'].toString('hex'));
    const sent = [...bodies, ...bodies.slice(0, 4)].map((body) => body.toString('hex'));
    expect(rows.toSorted()).toEqual(sent.toSorted());
  });

  test('is answered under the name that its request had', async () => {
    const { headers, body } = hook.delivery('repo:push', pushBody('{named}'));
    const init = { method: 'POST', headers: { ...headers, 'X-Request-Id': 'backend:17' }, body };
    const answer =
      way === 'app' ? await api.send(hook.path, init) : await fetch(`${address}${hook.path}`, init);
    expect([answer.status, answer.headers.get('X-Request-Id')]).toEqual([202, 'backend:17']);
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff');
  });

  test('that is forged is refused before it is parsed, and leaves nothing (S23)', async () => {
    const other = await createTenant(sql, 'active');
    await other.repositories(1);
    const foreign = await createHook(sql, other, { key: WEBHOOK_KEY });
    const right = hook.delivery('repo:push', '{"n":  1}');
    const bent = Buffer.from(right.body);
    bent[3]! ^= 1;
    const { 'X-Hub-Signature': signed = '', ...unsigned } = right.headers;
    const withSignature = (header: string): Delivery => ({
      headers: { ...unsigned, 'X-Hub-Signature': header },
      body: right.body,
    });
    const forged: Record<string, Delivery> = {
      'no header': { headers: unsigned, body: right.body },
      sha1: withSignature(signature('whatever', right.body, 'sha1')),
      'two headers': withSignature(`${signed}, ${signed}`),
      "another tenant's secret": foreign.delivery('repo:push', right.body),
      'a secret of a later generation': hook.delivery('repo:push', right.body, 2),
      'one bit of the body': { headers: right.headers, body: bent },
      'the JSON written anew': { headers: right.headers, body: Buffer.from('{"n":1}') },
      'no JSON at all': { headers: right.headers, body: Buffer.from('{{{') },
      'an empty body': { headers: right.headers, body: Buffer.alloc(0) },
    };
    const before = (await stored()).length;
    for (const [how, delivery] of Object.entries(forged))
      expect(await post(hook.path, delivery), how).toEqual({ status: 401, code: 'signature_invalid' });
    expect((await stored()).length).toBe(before);
    expect(await stored(foreign)).toHaveLength(0);
    expect(await post(hook.path, right)).toEqual({ status: 202 });
  });

  test('to a token that names no hook is not found, whatever its form', async () => {
    const delivery = hook.delivery('repo:push', '{}');
    for (const token of ['x', 'A'.repeat(43), `${hook.path.split('/').at(-1)}x`, '%00', "';drop"])
      expect(await post(`/v1/webhooks/bitbucket/${token}`, delivery), token).toMatchObject({ status: 404 });
  });

  test('that names no event is refused', async () => {
    for (const key of ['', 'a b', 'x'.repeat(101)]) {
      const delivery = hook.delivery(key, '{}');
      expect(await post(hook.path, delivery), key).toEqual({ status: 400, code: 'event_missing' });
    }
  });

  test('of both generations is taken while the secret is rotated, and then of the new one only', async () => {
    const rotated = await createHook(sql, await anotherTenant(), { key: WEBHOOK_KEY });
    const send = async (generation: number) =>
      (await post(rotated.path, rotated.delivery('repo:push', pushBody('{x}'), generation))).status;
    const before = await createHook(sql, await anotherTenant(), { key: WEBHOOK_KEY });
    const early = before.delivery('repo:push', pushBody('{x}'), 2);
    expect([await send(1), (await post(before.path, early)).status]).toEqual([202, 401]);
    await sql`update webhooks set generation = 2, previous_generation_until = now() + interval '1 hour'
      where id = ${rotated.id}`;
    // The api knows the hook for ten seconds, and yet notices: what was refused is not sent again.
    expect([await send(2), await send(1), await send(3)]).toEqual([202, 202, 401]);
    // So it does soon where a forged delivery made it look a moment ago.
    await sql`update webhooks set generation = 3 where id = ${rotated.id}`;
    await waitFor({ what: 'the newer secret is taken', read: () => send(3), until: (seen) => seen === 202 });
    expect([await send(2), await send(1)]).toEqual([202, 401]);
    await sql`update webhooks set previous_generation_until = now() - interval '1 second' where id = ${rotated.id}`;
    const fresh = createLocalApi({ databaseUrl: testDatabase.apiUrl });
    const { headers, body } = rotated.delivery('repo:push', pushBody('{x}'), 2);
    expect((await fresh.send(rotated.path, { method: 'POST', headers, body })).status).toBe(401);
    await fresh.close();
  });

  async function anotherTenant(): Promise<TestTenant> {
    const other = await createTenant(sql, 'active');
    await other.repositories(1);
    return other;
  }

  test('to a hook that was removed meanwhile is not found, and those beside it are stored', async () => {
    const other = await anotherTenant();
    const removed = await createHook(sql, other, { key: WEBHOOK_KEY });
    expect((await post(removed.path, removed.delivery('repo:push', '{}'))).status).toBe(202);
    await sql`delete from webhooks where id = ${removed.id}`;
    const [gone, beside] = await Promise.all([
      post(removed.path, removed.delivery('repo:push', '{"n":2}')),
      post(hook.path, hook.delivery('repo:push', pushBody('{beside}'))),
    ]);
    expect([gone.status, beside.status]).toEqual([404, 202]);
    expect(await stored(removed)).toHaveLength(0);
  });
});

describe('the size of a delivery', () => {
  const LIMIT = 512 * 1024;

  test('is limited to 512 KB, stated or not (S20)', async () => {
    const largest = hook.delivery('repo:push', Buffer.alloc(LIMIT, 97));
    expect((await post(hook.path, largest)).status).toBe(202);
    expect(await post(hook.path, hook.delivery('repo:push', Buffer.alloc(LIMIT + 1, 97)))).toEqual({
      status: 413,
      code: 'body_too_large',
    });
    const stating = hook.delivery('repo:push', '{}');
    stating.headers['Content-Length'] = String(LIMIT + 1);
    expect((await post(hook.path, stating)).status).toBe(413);
    way = 'server';
    expect(await post(hook.path, largest)).toEqual({ status: 202 });
    expect((await post(hook.path, hook.delivery('repo:push', Buffer.alloc(LIMIT + 1, 97)))).status).toBe(413);
    way = 'app';
  });

  test('is not read any further than that, and not at all without a signature', async () => {
    const endless = (sent: { bytes: number }) =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          sent.bytes += 64 * 1024;
          controller.enqueue(new Uint8Array(64 * 1024));
        },
      });
    const { headers } = hook.delivery('repo:push', '{}');
    const send = async (more: Record<string, string>) => {
      const sent = { bytes: 0 };
      const init = { method: 'POST', headers: { ...headers, ...more }, body: endless(sent), duplex: 'half' };
      const { status } = await api.send(hook.path, init as RequestInit);
      return { status, ...sent };
    };
    const signed = await send({});
    expect(signed.status).toBe(413);
    expect(signed.bytes).toBeLessThan(LIMIT + 4 * 64 * 1024);
    const unsigned = await send({ 'X-Hub-Signature': 'sha1=x' });
    expect(unsigned.status).toBe(401);
    expect(unsigned.bytes).toBeLessThanOrEqual(2 * 64 * 1024);
  });
});

describe.each(WAYS)('many deliveries, through the %s,', (through) => {
  beforeAll(async () => {
    way = through;
    ({ tenant, hook } = await freshHook());
  });
  afterAll(() => void (way = 'app'));

  test('of several tenants go in together, each under its own tenant', async () => {
    const tenants = await Promise.all([1, 2, 3].map(() => createTenant(sql, 'active')));
    for (const each of tenants) await each.repositories(1);
    const hooks: TestHook[] = [];
    for (const each of tenants) hooks.push(await createHook(sql, each, { key: WEBHOOK_KEY }));
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) => {
        const of = hooks[n % 3]!;
        return post(of.path, of.delivery('repo:push', pushBody('{x}', n)));
      }),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    for (const [index, of] of hooks.entries()) {
      const rows = await stored(of);
      expect(rows).toHaveLength(100);
      expect(new Set(rows.map((row) => row['organization_id']))).toEqual(
        new Set([tenants[index]!.organizationId]),
      );
    }
  });

  test('that are one played back are one row, whatever their ids, and due again a minute after it was done (S24)', async () => {
    const captured = hook.delivery('repo:push', pushBody(`{replayed ${through}}`));
    const replays = Array.from({ length: 50 }, () => {
      const { headers } = hook.delivery('repo:push', captured.body);
      return {
        headers: { ...headers, 'X-Hub-Signature': captured.headers['X-Hub-Signature']! },
        body: captured.body,
      };
    });
    await post(hook.path, captured);
    const [row] = await sql`select id from webhook_deliveries where body = ${captured.body}`;
    await sql`update webhook_deliveries set due_at = null, processed_at = now(), outcome = 'woken' where id = ${row!['id']}`;
    await Promise.all(replays.map((replay) => post(hook.path, replay)));
    const rows = await sql`select repeats, due_at > now() + interval '55 seconds' as later
      from webhook_deliveries where body = ${captured.body}`;
    expect(rows).toHaveLength(1);
    // those that came in one group count once
    expect(rows[0]!['repeats']).toBeGreaterThan(0);
    expect(rows[0]!['later']).toBe(true);
  });
});

describe('days', () => {
  test('are there a week ahead; old ones are dropped, and what came for a missing one is moved into it', async () => {
    const days = async () =>
      (
        await sql`select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'webhook_deliveries'::regclass order by 1`
      ).map((row) => String(row['relname']));
    const nameOf = async (offset: number) =>
      String(
        (
          await sql`select 'webhook_deliveries_' || to_char((now() at time zone 'UTC')::date + ${offset}::integer,
        'YYYYMMDD') as name`
        )[0]!['name'],
      );
    expect(await days()).toHaveLength(9);
    const [tomorrow, eighth] = [await nameOf(1), await nameOf(-8)];
    await sql.unsafe(`drop table ${tomorrow}`);
    await sql.unsafe(`create table ${eighth} partition of webhook_deliveries
      for values from ('${eighth.slice(-8)}') to (date '${eighth.slice(-8)}' + 1)`);
    for (const offset of [1, -8, -9])
      await sql`insert into webhook_deliveries (organization_id, id, webhook_id, integration_id, event_key, body, received_on)
        values (${tenant.organizationId}, gen_random_uuid(), ${hook.id}, ${tenant.integrationId}, 'repo:push', '',
          (now() at time zone 'UTC')::date + ${offset}::integer)`;
    expect((await sql`select 1 from webhook_deliveries_default`).length).toBe(2);
    expect(await sweep(worker)).toMatchObject({ deliveryDays: 1 });
    expect(await sql`select 1 from webhook_deliveries_default`).toHaveLength(0);
    expect(await sql.unsafe(`select 1 from ${tomorrow}`)).toHaveLength(1);
    const left = await days();
    expect(left).toContain(tomorrow);
    expect(left).not.toContain(eighth);
    const unprotected = await sql`select relname from pg_class where relname like 'webhook_deliveries%'
      and relkind in ('r', 'p') and not (relrowsecurity and relforcerowsecurity)`;
    expect(unprotected).toEqual([]);
    expect(await sweep(worker)).toMatchObject({ deliveryDays: 0 });
  });

  test('are kept by a function of their owner: a role that works cannot make or drop a table', async () => {
    const role = postgres(testDatabase.workerUrl, { max: 1, onnotice: () => {} });
    await expect(role`create table mine (id integer)`).rejects.toMatchObject({ code: '42501' });
    await expect(role`drop table webhook_deliveries_default`).rejects.toMatchObject({ code: '42501' });
    await role.end();
  });
});
