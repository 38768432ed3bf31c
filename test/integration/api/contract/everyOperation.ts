import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createAnswerBox } from '../../../../api/answerBox.ts';
import { askWithoutPostgres } from '../../../support/absentServers.ts';
import { namesSomething, roleOf, sampleOf, takesJson, takesQuery } from '../../../support/apiSamples.ts';
import { call, callRaw, keyedOperations, world } from '../../../support/apiWorld.ts';
import { IDEMPOTENCY_SECRET } from '../../../support/localApi.ts';

export const describeEveryOperation = (): void => {
  describe('every operation', () => {
    test('is served, and nothing else is', async () => {
      const paths = world.contract.operations.map(({ method, path }) => `${method} ${path}`);
      expect(paths).toContain('POST /v1/connection-checks');
      expect((await call('GET', '/v1/debug')).status).toBe(404);
      for (const { path } of world.contract.operations) {
        const { status, headers } = await call(
          'TRACE_ME',
          path.replace('{id}', randomUUID()).replace('{number}', '1'),
          undefined,
          {
            send: world.local.send,
          },
        );
        expect(status, path).toBe(405);
        expect(headers.get('Allow'), path).toMatch(/GET|POST|PUT/);
      }
    });

    test('refuses requests without a valid key with the same answer', async () => {
      for (const operation of keyedOperations()) {
        const sample = sampleOf(operation);
        const unknown = world.keys.admin.replace(/.{5}$/, 'AAAAA');
        const answers = [];
        for (const key of [null, 'nonsense', unknown, world.keys.revoked, world.keys.expired]) {
          answers.push(await callRaw(sample, { key, send: world.local.send }));
        }
        answers.push(
          await callRaw(sample, {
            key: null,
            send: world.local.send,
            headers: { Authorization: `Basic ${world.keys.admin}` },
          }),
        );
        for (const { status, body } of answers) {
          expect({ status, ...body, request_id: '' }).toEqual({
            status: 401,
            ...answers[0]!.body,
            request_id: '',
          });
        }
      }
    });

    test('refuses roles that are too low', async () => {
      for (const operation of keyedOperations()) {
        for (const [role, rank] of [
          ['viewer', 0],
          ['manager', 1],
        ] as const) {
          const needed = ['viewer', 'manager', 'admin'].indexOf(roleOf(operation));
          if (needed <= rank) continue;
          const { status } = await callRaw(sampleOf(operation), {
            key: world.keys[role],
            send: world.local.send,
          });
          expect(status, `${operation.operationId} as ${role}`).toBe(403);
        }
      }
    });

    test('answers the same 404 for what is absent and for what belongs to somebody else', async () => {
      const { body: mine } = await call('POST', '/v1/integrations', {});
      for (const operation of keyedOperations().filter(namesSomething)) {
        const absent = await callRaw(sampleOf(operation), { send: world.local.send });
        const foreign = await callRaw(sampleOf(operation, { integration: mine.id }), {
          key: world.keys.foreign,
          send: world.local.send,
        });
        const malformed = await callRaw(
          { ...sampleOf(operation), path: operation.path.replace('{id}', 'x').replace('{number}', '1') },
          { send: world.local.send },
        );
        expect(absent.status, operation.operationId).toBe(404);
        expect({ ...foreign.body, request_id: '' }).toEqual({ ...absent.body, request_id: '' });
        expect(malformed.status).toBe(404);
      }
    });

    test('answers 503 with Retry-After when Postgres is down', async () => {
      const { answers, live, log } = await askWithoutPostgres();
      for (const { path, status, retryAfter } of answers) {
        expect(status, path).toBe(503);
        expect(Number(retryAfter), path).toBeGreaterThan(0);
      }
      expect(live.status).toBe(200);
      expect(log).not.toContain('nobody:x');
    });

    test('refuses bodies that are too large, of another type, no JSON, or with unknown fields', async () => {
      const { body: mine } = await call('POST', '/v1/integrations', {});
      for (const operation of keyedOperations().filter(takesJson)) {
        const sample = sampleOf(operation, { integration: mine.id });
        const what = operation.operationId;
        const large = await callRaw({ ...sample, body: JSON.stringify({ a: 'x'.repeat(70_000) }) });
        expect(large.status, what).toBe(413);
        const text = await callRaw(sample, { headers: { 'Content-Type': 'text/plain' } });
        expect(text.status, what).toBe(415);
        const malformed = await callRaw({ ...sample, body: '{"a":' });
        expect(malformed.status, what).toBe(400);
        expect(malformed.body.code).toBe('malformed_json');
        const unknown = await callRaw({
          ...sample,
          body: JSON.stringify({ ...JSON.parse(sample.body!), surprise: 1 }),
        });
        expect(unknown.status, what).toBe(422);
        expect(unknown.body.errors.map((error: { location: string }) => error.location)).toContain(
          'body.surprise',
        );
      }
    });

    test('a body in pieces of unknown length is cut off as well', async () => {
      let sent = 0;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1;
          if (sent > 2_000) controller.close();
          else controller.enqueue(new Uint8Array(10_000).fill(32));
        },
      });
      const init = {
        body,
        duplex: 'half',
        headers: { Authorization: `Bearer ${world.keys.admin}`, 'Content-Type': 'application/json' },
      };
      expect(
        (await world.contract.call(world.local.send, 'POST', '/v1/integrations', init as RequestInit)).status,
      ).toBe(413);
      expect(sent).toBeLessThan(50);
    });

    test('refuses queries that are malformed or unknown, and cursors of other lists', async () => {
      const { body: mine } = await call('POST', '/v1/integrations', {});
      const forged = Buffer.from(JSON.stringify(['commits', { at: "'; drop", hash: 'x' }])).toString(
        'base64url',
      );
      for (const operation of keyedOperations().filter(takesQuery)) {
        const { method, path, body } = sampleOf(operation, { integration: mine.id });
        for (const query of ['limit=0', 'limit=x', 'surprise=1', 'cursor=%00', `cursor=${forged}`]) {
          const sent = { method, path: `${path}?${query}`, body };
          const { status } = await callRaw(sent, { send: world.local.send });
          expect(status, `${path}?${query}`).toBe(400);
        }
      }
    });

    test('keeps answers by Idempotency-Key: malformed, used for something else, still under way', async () => {
      const box = createAnswerBox(IDEMPOTENCY_SECRET);
      for (const operation of keyedOperations().filter(({ method }) => method !== 'GET')) {
        const sample = sampleOf(operation);
        const what = operation.operationId;
        const send = world.local.send;
        const headers = { 'Idempotency-Key': 'with space' };
        expect((await callRaw(sample, { send, headers })).status, what).toBe(400);
        const key = randomUUID();
        await world.admin`insert into idempotency_keys (organization_id, key, operation, fingerprint) values
        (${world.stack.organizationId}, ${key}, ${`${operation.method} ${operation.path}`}, ${box.fingerprint(sample.path, sample.body ?? '')})`;
        const underWay = await callRaw(sample, { send, headers: { 'Idempotency-Key': key } });
        expect([underWay.status, underWay.body.code], what).toEqual([409, 'request_under_way']);
        const other = await callRaw(
          { ...sample, body: `${sample.body ?? ''} ` },
          { send, headers: { 'Idempotency-Key': key } },
        );
        expect([other.status, other.body.code], what).toEqual([422, 'idempotency_key_reused']);
      }
    });

    test('carries strict headers and the request id of the caller', async () => {
      const { headers } = await call('GET', '/v1/providers', undefined, {
        headers: { 'X-Request-Id': 'mine-1' },
      });
      expect(headers.get('X-Request-Id')).toBe('mine-1');
      expect(headers.get('Cache-Control')).toBe('no-store');
      expect(headers.get('Content-Security-Policy')).toContain("default-src 'none'");
      const odd = await call('GET', '/v1/providers', undefined, { headers: { 'X-Request-Id': 'a b"<' } });
      expect(odd.headers.get('X-Request-Id')).toMatch(/^[0-9a-f-]{36}$/);
    });
  });
};
