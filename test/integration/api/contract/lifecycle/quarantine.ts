import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { call, world } from '../../../../support/apiWorld.ts';
import { waitFor } from '../../../../support/waitFor.ts';
import type { Line } from './line.ts';
import { pagesOf } from './pagesOf.ts';

export function testQuarantine(line: Line): void {
  test('the quarantine: listed with bytes and place; tried again, what passes leaves it', async () => {
    const path = `/v1/integrations/${line.integrationId}/quarantine`;
    expect((await call('GET', path)).body).toEqual({ data: [], next_cursor: null });
    const [repository] = (await call('GET', `/v1/imports/${line.importId}/repositories`)).body.data;
    const good =
      '{"id":90001,"title":"<b>late</b>","state":"OPEN","created_on":"2026-01-01T00:00:00Z","updated_on":"2026-01-01T00:00:00Z"}';
    for (const [key, raw] of [
      ['90001', good],
      ['90002', '{"id":90002}'],
    ] as const) {
      await world.admin`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
        request_path, page_index, import_id) values (gen_random_uuid(), ${world.stack.organizationId},
        ${repository.repository_id}, 'pull_requests', ${key}, ${Buffer.from(raw)}, 'title: is missing', '/x?y=1', 3,
        ${line.importId})`;
    }
    const { body } = await call('GET', `${path}?repository=${repository.repository_id}&stream=pull_requests`);
    const shown = body.data.find(({ record_key }: { record_key: string }) => record_key === '90001');
    expect(Buffer.from(shown.raw.base64, 'base64').toString()).toBe(good);
    expect(shown).toMatchObject({
      attempts: 1,
      place: { request_path: '/x?y=1', page_index: 3, parent_number: null },
      raw: { bytes: good.length, truncated: false, text: expect.stringContaining('\\x3cb\\x3e') },
    });
    expect(await pagesOf(path, 1)).toEqual(body.data);
    expect((await call('GET', `${path}?stream=tickets`)).body.data).toEqual([]);
    const unknown = await call('POST', `${path}/retry`, { repository: randomUUID() });
    expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repository']);

    const nothing = await call('POST', `${path}/retry`, { ids: [randomUUID()] });
    expect(await retried(nothing.body.id)).toMatchObject({ state: 'done', tried: 0 });
    const started = await call('POST', `${path}/retry`, { repository: repository.repository_id });
    expect([started.status, started.headers.get('Location')]).toEqual([
      202,
      `/v1/quarantine-retries/${started.body.id}`,
    ]);
    expect(await retried(started.body.id)).toMatchObject({ tried: 2, stored: 1, kept: 1, error: null });
    const left = (await call('GET', path)).body.data;
    expect(left).toMatchObject([{ record_key: '90002', attempts: 2 }]);
    const stored = await call('GET', `/v1/repositories/${repository.repository_id}/pull-requests/90001`);
    expect(stored.body.title).toBe('<b>late</b>');
    await world.admin`delete from quarantine`;
    await world.admin`delete from pull_requests where number = 90001`;
  });
}

const retried = async (retryId: string): Promise<Record<string, unknown>> =>
  waitFor({
    what: 'the retry ends',
    read: async () => (await call('GET', `/v1/quarantine-retries/${retryId}`)).body,
    until: ({ state }) => state === 'done' || state === 'failed',
  });
