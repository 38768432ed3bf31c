import { expect, test } from 'vitest';
import { call, createPatientApi, world } from '../../../../support/apiWorld.ts';
import { credentialBody } from '../../../../support/connect.ts';
import type { Checked } from '../../../../support/contract.ts';
import { waitFor } from '../../../../support/waitFor.ts';
import type { Line } from './line.ts';

/** Without what a discovery that is still under way (creating began one, too) may move at any time. */
const lasting = (row: Record<string, unknown>) => ({ ...row, last_seen_at: undefined });

export function testConnecting(line: Line): void {
  test('a connection check without an integration; 202 when it takes longer', async () => {
    const done = await call(
      'POST',
      '/v1/connection-checks',
      credentialBody(world.stack, 'app_password.service'),
    );
    expect([done.status, done.body.verdict]).toEqual([200, expect.stringMatching(/^ok/)]);
    expect(done.body.message.code).toBe('connection_ok');
    expect((await call('GET', `/v1/connection-checks/${done.body.id}`)).body).toEqual(done.body);
    const patient = await createPatientApi(10_000);
    const later = await call(
      'POST',
      '/v1/connection-checks',
      credentialBody(world.stack, 'app_password.service'),
      {
        send: patient.send,
      },
    );
    expect([later.status, later.headers.get('Location')]).toEqual([
      202,
      `/v1/connection-checks/${later.body.id}`,
    ]);
    await patient.close();
  });

  test('a draft, a wrong credential with its remedy, then one that passes', async () => {
    const made = await call('POST', '/v1/integrations', undefined, { headers: { 'Acting-User': 'ada' } });
    line.integrationId = made.body.id;
    expect(made.body.created_by.acting_user).toBe('ada');
    expect((await call('GET', `/v1/integrations/${line.integrationId}`)).body.state).toBe(
      'awaiting_credential',
    );
    expect((await call('POST', `/v1/integrations/${line.integrationId}/create`, { name: 'x' })).status).toBe(
      409,
    );
    expect((await call('PATCH', `/v1/integrations/${line.integrationId}`, { name: 'x' })).status).toBe(409);
    const wrong = await call('PUT', `/v1/integrations/${line.integrationId}/credential`, {
      kind: 'api_token',
      email: 'nobody@example.com',
      token: 'wrong',
    });
    expect([wrong.status, wrong.body.verdict]).toEqual([200, 'failed']);
    expect(wrong.body.report.findings[0].remedy).not.toBe('');
    const right = await call(
      'PUT',
      `/v1/integrations/${line.integrationId}/credential`,
      credentialBody(world.stack, 'api_token.admin'),
    );
    expect(right.body.verdict).toMatch(/^ok/);
    // The next step is open as soon as the answer says so.
    expect((await call('GET', `/v1/integrations/${line.integrationId}`)).body.state).toBe('connected');
    expect((await call('GET', `/v1/integrations/${line.integrationId}/connection-check`)).body.id).toBe(
      right.body.id,
    );
  });

  test('a credential whose check takes longer is answered 202', async () => {
    const { body: other } = await call('POST', '/v1/integrations', {});
    const patient = await createPatientApi(8_000);
    const later = await call(
      'PUT',
      `/v1/integrations/${other.id}/credential`,
      credentialBody(world.stack, 'api_token.admin'),
      {
        send: patient.send,
      },
    );
    expect([later.status, later.headers.get('Location')]).toEqual([
      202,
      `/v1/integrations/${other.id}/connection-check`,
    ]);
    await patient.close();
    await world.admin`update integrations set state = 'disconnecting' where id = ${other.id}`;
    const refused = await call(
      'PUT',
      `/v1/integrations/${other.id}/credential`,
      credentialBody(world.stack, 'api_token.admin'),
    );
    expect([refused.status, refused.body.code]).toEqual([409, 'disconnecting']);
  });

  test('create: an empty list and a blank name are refused, then it is active', async () => {
    const path = `/v1/integrations/${line.integrationId}/create`;
    const empty = await call('POST', path, { name: 'Acme', services: [] });
    expect([empty.status, empty.body.errors[0].location]).toEqual([422, 'body.services']);
    expect((await call('POST', path, { name: '   ' })).status).toBe(422);
    const active = await call('POST', path, { name: 'Acme' });
    expect([active.status, active.body.state, active.body.message.code]).toEqual([
      200,
      'active',
      'integration_created',
    ]);
    expect(active.body.links.map((link: { action: string }) => link.action)).toContain('import');
    const renamed = await call('PATCH', `/v1/integrations/${line.integrationId}`, { name: 'Acme Corp' });
    expect([renamed.status, renamed.body.name]).toEqual([200, 'Acme Corp']);
  });

  test('discovery and its lists, page by page', async () => {
    const { status, headers } = await call('POST', `/v1/integrations/${line.integrationId}/discover`, {});
    expect([status, headers.get('Location')]).toEqual([202, `/v1/integrations/${line.integrationId}`]);
    await waitFor({
      what: 'the discovery is done',
      read: async () => (await call('GET', `/v1/integrations/${line.integrationId}`)).body.discovery.state,
      until: (state) => state === 'done',
    });
    for (const list of ['workspaces', 'projects', 'repositories']) {
      const whole = (await call('GET', `/v1/integrations/${line.integrationId}/${list}`)).body.data.map(
        lasting,
      );
      expect(whole.length, list).toBeGreaterThan(0);
      const paged: unknown[] = [];
      for (let cursor: string | null = ''; cursor !== null; ) {
        const { body }: Checked = await call(
          'GET',
          `/v1/integrations/${line.integrationId}/${list}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
        );
        paged.push(...body.data.map(lasting));
        cursor = body.next_cursor;
      }
      expect(paged, list).toEqual(whole);
      const search = encodeURIComponent(whole[0].name.slice(0, 4));
      const { body } = await call('GET', `/v1/integrations/${line.integrationId}/${list}?search=${search}`);
      expect(body.data.map(lasting)).toContainEqual(whole[0]);
      expect(
        (await call('GET', `/v1/integrations/${line.integrationId}/${list}?search=%25%00_x`)).body.data,
      ).toEqual([]);
    }
  });
}
