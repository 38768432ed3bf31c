import { expect, test } from 'vitest';
import { call, world } from '../../../../support/apiWorld.ts';
import { waitFor } from '../../../../support/waitFor.ts';
import type { Line } from './line.ts';

export function testWebhooks(line: Line): void {
  test('webhooks: registered, listed with what each covers, rotated, removed', async () => {
    const path = `/v1/integrations/${line.integrationId}/webhooks`;
    const whenDone = () =>
      waitFor({
        what: 'the webhooks were looked up',
        read: async () => (await call('GET', path)).body,
        until: ({ state }) => state === 'done' || state === 'failed' || state === 'off',
      });
    const before = (await call('GET', path)).body;
    expect(before).toMatchObject({ wanted: false, state: 'off', workspaces: { webhook: 0 } });
    expect(before.data[0].reason.code).toBe('webhooks_not_registered');
    const asked = await call('PUT', path, undefined, { key: world.keys.manager });
    expect([asked.status, asked.headers.get('Location'), asked.body.wanted]).toEqual([202, path, true]);
    const done = await whenDone();
    expect(done).toMatchObject({
      state: 'done',
      error: null,
      workspaces: { polling: 0 },
      repositories: { polling: 0 },
    });
    expect(done.data[0]).toMatchObject({
      scope: 'workspace',
      mode: 'webhook',
      via: 'workspace',
      reason: null,
    });
    const { body: rest } = await call(
      'GET',
      `${path}?mode=webhook&limit=1&cursor=${(await call('GET', `${path}?limit=1`)).body.next_cursor}`,
    );
    expect(rest.data).toEqual([done.data[1]]);
    expect(done.data.at(-1)).toMatchObject({ scope: 'repository', mode: 'webhook', via: 'workspace' });
    expect((await call('GET', `${path}?mode=polling`)).body.data).toEqual([]);
    const healthPath = `/v1/integrations/${line.integrationId}/health`;
    expect(done.data[0].missing_deliveries).toBe(null);
    expect((await call('GET', healthPath)).body.missing_deliveries).toBe(null);
    await world.admin`update webhooks set missing_since = '2026-11-01T10:00:00Z', missing_changes = 2,
      missing_changed_at = '2026-11-01T09:50:00Z' where integration_id = ${line.integrationId}`;
    const finding = { code: 'webhook_deliveries_missing' };
    expect((await call('GET', path)).body.data[0].missing_deliveries).toMatchObject({
      since: '2026-11-01T10:00:00Z',
      changes: 2,
      last_change_at: '2026-11-01T09:50:00Z',
      finding,
    });
    expect((await call('GET', healthPath)).body.missing_deliveries).toMatchObject({
      webhooks: 2,
      changes: 4,
      finding,
    });
    await call('PUT', path, { rotate: true });
    expect((await whenDone()).data[0]).toMatchObject({ secret_generation: 2, previous_secret_taken: true });
    expect(JSON.stringify(await whenDone())).not.toMatch(/v1\/webhooks|"token"/);
    const removed = await call('DELETE', path);
    expect([removed.status, removed.headers.get('Location'), removed.body.wanted]).toEqual([
      202,
      path,
      false,
    ]);
    expect((await whenDone()).data[0]).toMatchObject({ mode: 'polling', state: null });
    const { body: draft } = await call('POST', '/v1/integrations', {});
    for (const method of ['PUT', 'DELETE']) {
      const refused = await call(method, `/v1/integrations/${draft.id}/webhooks`);
      expect([refused.status, refused.body.code]).toEqual([409, 'needs_create']);
    }
  });
}
