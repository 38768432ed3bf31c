import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { call, world } from '../../../support/apiWorld.ts';

export const describeIdempotency = (): void => {
  describe('Idempotency-Key', () => {
    test('the same request again gives the same answer and does nothing more', async () => {
      const headers = { 'Idempotency-Key': randomUUID() };
      const first = await call('POST', '/v1/integrations', {}, { headers });
      const again = await call('POST', '/v1/integrations', {}, { headers });
      expect(again.body).toEqual(first.body);
      expect(again.headers.get('Idempotency-Replayed')).toBe('true');
      expect(again.headers.get('Location')).toBe(first.headers.get('Location'));
      const foreign = await call('POST', '/v1/integrations', {}, { headers, key: world.keys.foreign });
      expect(foreign.body.id).not.toBe(first.body.id);
    });

    test('makes no second integration where the first one’s answer was not kept', async () => {
      const headers = { 'Idempotency-Key': randomUUID() };
      const first = await call('POST', '/v1/integrations', {}, { headers });
      // What an api that died between the two leaves behind, when its claim has lapsed.
      await world.admin`delete from idempotency_keys where key = ${headers['Idempotency-Key']}`;
      const again = await call('POST', '/v1/integrations', {}, { headers });
      expect(again.headers.get('Idempotency-Replayed')).toBeNull();
      expect([again.status, again.body]).toEqual([201, first.body]);
    });

    test('of 20 at once one is carried out', async () => {
      const headers = { 'Idempotency-Key': randomUUID() };
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => call('POST', '/v1/integrations', {}, { headers })),
      );
      const made = answers.filter(({ status }) => status === 201).map(({ body }) => body.id);
      expect(new Set(made).size).toBe(1);
      expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true);
    });

    test('a refusal is not kept: the key can be used when the reason is gone', async () => {
      const { body: mine } = await call('POST', '/v1/integrations', {});
      const headers = { 'Idempotency-Key': randomUUID() };
      const path = `/v1/integrations/${mine.id}/imports`;
      expect((await call('POST', path, { all: true }, { headers })).status).toBe(409);
      expect((await call('POST', path, { all: true }, { headers })).body.code).toBe('import_needs_create');
    });

    test('neither the body nor the answer can be read from the database', async () => {
      const headers = { 'Idempotency-Key': randomUUID() };
      const { body: mine } = await call('POST', '/v1/integrations', {});
      const { body } = await call('POST', `/v1/integrations/${mine.id}/oauth`, {}, { headers });
      const state = new URL(body.authorize_url).searchParams.get('state')!;
      const [row] =
        await world.admin`select answer::text as answer from idempotency_keys where key = ${headers['Idempotency-Key']}`;
      expect(row!['answer']).not.toContain(state);
      expect(
        JSON.stringify((await call('POST', `/v1/integrations/${mine.id}/oauth`, {}, { headers })).body),
      ).toContain(state);
    });
  });
};
