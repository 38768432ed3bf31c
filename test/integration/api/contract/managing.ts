import { describe, expect, test } from 'vitest';
import { createApiClient } from '../../../../api/client.ts';
import { call as callAs, type CallOptions, world } from '../../../support/apiWorld.ts';
import { activeIntegration, importEnded, startImport } from '../../../support/connect.ts';
import { otherOrganization } from '../../../support/otherOrganization.ts';
import type { Stack } from '../../../support/stack.ts';
import { waitFor } from '../../../support/waitFor.ts';

export const describeManaging = (): void => {
  describe('managing an integration', () => {
    let id: string;
    // An organization of its own: what another integration fetches is that one's.
    let stack: Stack;
    const call = (method: string, path: string, body?: unknown, options: CallOptions = {}) =>
      callAs(method, path, body, { key: stack.apiKey, ...options });
    const at = () => `/v1/integrations/${id}`;
    const actions = async (): Promise<string[]> =>
      (await call('GET', at())).body.links.map(({ action }: { action: string }) => action);

    test('is paused and resumed, each twice; what a draft cannot be is refused', async () => {
      stack = await otherOrganization(world.stack);
      id = await activeIntegration(stack, {
        name: 'Managed',
        credential: 'api_token.no_pull_requests',
      });
      for (const _ of ['once', 'again']) {
        const paused = await call('POST', `${at()}/pause`, {}, { headers: { 'Acting-User': 'ada' } });
        expect([paused.status, paused.headers.get('Location')]).toEqual([202, at()]);
        expect(paused.body).toMatchObject({ state: 'paused', health: 'paused', reason: { code: 'paused' } });
      }
      expect(await actions()).toContain('resume');
      const refused = await call('POST', `${at()}/imports`, { all: true });
      expect([refused.status, refused.body.code]).toEqual([409, 'paused']);
      for (const _ of ['once', 'again']) {
        const resumed = await call('POST', `${at()}/resume`);
        expect([resumed.status, resumed.body.state, resumed.body.reason]).toEqual([202, 'active', null]);
      }
      expect(await actions()).toContain('pause');
      const { body: draft } = await call('POST', '/v1/integrations', {});
      for (const command of ['pause', 'resume']) {
        const early = await call('POST', `/v1/integrations/${draft.id}/${command}`, {});
        expect([early.status, early.body.code], command).toEqual([409, 'needs_create']);
      }
      const early = await call('PATCH', `/v1/integrations/${draft.id}`, { services: ['repositories'] });
      expect([early.status, early.body.code]).toEqual([409, 'needs_create']);
    });

    test('services: none, and those without their scopes, are refused with which', async () => {
      const none = await call('PATCH', at(), { services: [] });
      expect([none.status, none.body.errors[0].location]).toEqual([422, 'body.services']);
      expect((await call('PATCH', at(), {})).status).toBe(422);
      const refused = await call('PATCH', at(), { services: ['repositories', 'pull_requests'] });
      expect([refused.status, refused.body.code]).toEqual([422, 'service_not_allowed']);
      expect(refused.body.errors).toMatchObject([
        {
          location: 'body.services.1',
          message: expect.stringContaining('read:pullrequest:bitbucket'),
          fix: expect.stringContaining('Submit a credential'),
        },
      ]);
    });

    test('services: off keeps what is stored and says so; on catches up by an import', async () => {
      const importId = await startImport(stack, id);
      await importEnded(stack, importId);
      const [repository] = (await call('GET', `${at()}/repositories?imported=true&limit=1`)).body.data;
      const stateOf = async (name: string): Promise<string> =>
        (await call('GET', `/v1/repositories/${repository.id}`)).body.streams.find(
          ({ stream }: { stream: string }) => stream === name,
        ).state;
      const tickets = async () => (await call('GET', `/v1/repositories/${repository.id}/tickets`)).body.data;
      const before = await tickets();
      const off = await call('PATCH', at(), { name: 'Managed well', services: ['repositories'] });
      expect(off.body).toMatchObject({ name: 'Managed well', services: ['repositories'] });
      expect(await stateOf('tickets')).toBe('switched_off');
      expect(await tickets()).toEqual(before);
      const { streams } = (await call('GET', `${at()}/health`)).body.summary;
      const counts = streams.find(({ stream }: { stream: string }) => stream === 'tickets').counts;
      expect(counts.switched_off).toBeGreaterThan(0);
      expect(counts.healthy).toBe(0);

      const api = createApiClient({ baseUrl: stack.apiUrl, key: stack.apiKey, fetch });
      expect((await api.changeServices(id, ['repositories', 'tickets'])).services).toHaveLength(2);
      const [catchUp] = (await call('GET', `${at()}/imports?limit=1`)).body.data;
      expect(catchUp).toMatchObject({
        services: ['tickets'],
        selection: { imported_by: id },
        mode: 'changed',
      });
      expect((await importEnded(stack, catchUp.id)).state).toBe('completed');
      expect(await stateOf('tickets')).toBe('healthy');
    });

    test('health: as a whole, in numbers, and each that is not healthy with its error and next try', async () => {
      const fine = (await call('GET', `${at()}/health`)).body;
      expect(fine).toMatchObject({ state: 'active', health: 'healthy', data: [], next_cursor: null });
      const total = fine.summary.repositories.healthy;
      expect(total).toBeGreaterThan(1);
      const healthy = (await call('GET', `${at()}/health?state=healthy&limit=200`)).body.data;
      expect(healthy).toHaveLength(total);
      const [one, two] = healthy;
      const error = { code: 'broken', message: 'It broke.', remedy: 'Mend it.' };
      await world.admin`update streams set state = 'failed', failing_since = now(), last_error = ${world.admin.json(error)}
        where repository_id = ${one.repository_id} and stream = 'commits'`;
      await world.admin`insert into repository_syncs (organization_id, repository_id, failures, failing_since, last_error,
        next_attempt_at) values (${stack.organizationId}, ${two.repository_id}, 3, now(),
        ${world.admin.json({ ...error, code: 'parked' })}, now() + interval '1 hour')`;
      const first = (await call('GET', `${at()}/health?limit=1`)).body;
      expect(first).toMatchObject({
        health: 'degraded',
        failing_since: expect.any(String),
        summary: { repositories: { failed: 2, healthy: total - 2 } },
        data: [
          { repository_id: one.repository_id, state: 'failed', last_error: error, next_attempt_at: null },
        ],
      });
      const second = (await call('GET', `${at()}/health?limit=1&cursor=${first.next_cursor}`)).body;
      expect(second).toMatchObject({
        data: [{ repository_id: two.repository_id, failures: 3, last_error: { code: 'parked' } }],
        next_cursor: null,
      });
      expect(Date.parse(second.data[0].next_attempt_at)).toBeGreaterThan(Date.now());
      expect((await call('GET', `/v1/repositories/${two.repository_id}`)).body.health).toBe('failed');
      expect((await call('GET', `${at()}/health?state=rate_limited`)).body.data).toEqual([]);
      await world.admin`update streams set state = 'failed' where repository_id in
        (select id from repositories where integration_id = ${id})`;
      expect((await call('GET', at())).body.health).toBe('failed');
      await world.admin`update streams set state = 'healthy', failing_since = null, last_error = null
        where organization_id = ${stack.organizationId}`;
      await world.admin`delete from repository_syncs where organization_id = ${stack.organizationId}`;
    });

    test('a credential that ends soon is warned of', async () => {
      await world.admin`update credentials set expires_on = now() + interval '5 days 1 hour'
        where integration_id = ${id} and state = 'active'`;
      expect((await call('GET', at())).body.credential.warning).toMatchObject({
        code: 'credential_expiring',
        message: expect.stringContaining('in 6 days'),
      });
    });

    test('the feed tells all of it, who did it, and goes on from each cursor', async () => {
      const followed: { type: string; id: string; by: unknown; integration_id: string }[] = [];
      let after = '';
      await waitFor({
        what: 'the feed has told the end',
        read: async () => {
          const { body } = await call('GET', `/v1/events?limit=3&integration=${id}${after}`);
          followed.push(...body.data);
          if (body.next_cursor !== null) after = `&after=${body.next_cursor}`;
          return followed.map(({ type }) => type);
        },
        until: (types) => types.filter((type) => type === 'import_completed').length === 2,
      });
      const types = followed.map(({ type }) => type);
      const expected = [
        'credential_submitted',
        'connected',
        'integration_created',
        'discovery_done',
        'integration_paused',
        'integration_resumed',
        'import_started',
        'import_completed',
        'integration_renamed',
        'services_changed',
        'services_changed',
        'import_started',
        'import_completed',
      ];
      expect(types.toSorted()).toEqual(expected.toSorted());
      expect(new Set(followed.map((event) => event.id)).size).toBe(followed.length);
      expect(new Set(followed.map((event) => event.integration_id))).toEqual(new Set([id]));
      const paused = followed.find(({ type }) => type === 'integration_paused');
      expect(paused?.by).toMatchObject({ acting_user: 'ada', api_key_id: expect.any(String) });
      expect(followed.find(({ type }) => type === 'discovery_done')?.by).toBeNull();
      const only = (await call('GET', `/v1/events?type=services_changed&integration=${id}`)).body;
      expect(only.data.map(({ data }: { data: unknown }) => data)).toEqual([
        { on: [], off: ['tickets'] },
        { on: ['tickets'], off: [] },
      ]);
      const end = await call(
        'GET',
        `/v1/events?after=${only.next_cursor}&integration=${id}&type=no_such_type`,
      );
      expect(end.body).toEqual({ data: [], next_cursor: only.next_cursor, more: false });
      expect((await call('GET', '/v1/events?after=x')).body.errors[0].location).toBe('query.after');
      const foreign = await call('GET', `/v1/events?integration=${id}`, undefined, {
        key: world.keys.foreign,
      });
      expect(foreign.body.data).toEqual([]);
    });
  });
};
