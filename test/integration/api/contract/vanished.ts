import { describe, expect, test } from 'vitest';
import { createApiClient } from '../../../../api/client.ts';
import { call as callAs, world } from '../../../support/apiWorld.ts';
import { activeIntegration, discovered, importEnded, startImport } from '../../../support/connect.ts';
import { otherOrganization } from '../../../support/otherOrganization.ts';
import type { Stack } from '../../../support/stack.ts';
import { waitFor } from '../../../support/waitFor.ts';

export const describeVanished = (): void => {
  describe('repositories that vanish', () => {
    let id: string;
    let stack: Stack;
    const call = (method: string, path: string, body?: unknown) =>
      callAs(method, path, body, { key: stack.apiKey });
    const at = () => `/v1/integrations/${id}`;
    const list = async (query: string) => (await call('GET', `${at()}/repositories?${query}`)).body.data;
    const names = async (query: string): Promise<string[]> =>
      (await list(query)).map(({ full_name }: { full_name: string }) => full_name);
    /** As after two discoveries that missed so many repositories of a workspace. */
    const vanish = (fullNames: string[]) =>
      world.admin`update integration_repositories l set missing_since = now() - interval '2 hours', asked_at = now()
        from repositories r where l.integration_id = ${id} and r.id = l.repository_id
          and r.full_name = any (${fullNames})`;
    const two = ['acme-rockets/launch-scripts', 'acme-rockets/telemetry'];

    test('where nothing is asked nothing changes, and a draft is refused', async () => {
      stack = await otherOrganization(world.stack);
      id = await activeIntegration(stack, { name: 'Vanishing' });
      const [one] = await list('limit=1');
      expect(one).toMatchObject({ presence: 'present', presence_since: null, former_names: [] });
      const { body: draft } = await call('POST', '/v1/integrations', {});
      for (const decision of ['confirm', 'keep']) {
        const settled = await call('POST', `${at()}/vanished/${decision}`);
        expect([settled.status, settled.body.vanished]).toEqual([200, null]);
        const early = await call('POST', `/v1/integrations/${draft.id}/vanished/${decision}`, {});
        expect([early.status, early.body.code]).toEqual([409, 'needs_create']);
      }
      expect(await names('presence=missing')).toEqual([]);
    });

    test('the integration says what vanished, where, and of how many; kept, it is missing and no more', async () => {
      await vanish(two);
      const { vanished } = (await call('GET', at())).body;
      expect(vanished).toMatchObject({
        repositories: 2,
        workspaces: [{ slug: 'acme-rockets', vanished: 2, known: 5, examples: two }],
      });
      expect(vanished.links.map(({ action }: { action: string }) => action)).toEqual([
        'list_missing',
        'confirm_vanished',
        'keep_vanished',
      ]);
      const [missing] = vanished.links;
      expect((await call('GET', missing.href)).body.data).toHaveLength(2);
      const api = createApiClient({ baseUrl: stack.apiUrl, key: stack.apiKey, fetch });
      expect((await api.keepVanished(id)).vanished).toBeNull();
      expect(await names('presence=missing')).toEqual(two);
      expect(await names('presence=gone')).toEqual([]);
    });

    test('confirmed, it is gone: no import and no sync takes it up, and its data stays', async () => {
      const repositories = (await list('presence=missing')).map((one: { id: string }) => one.id);
      await importEnded(stack, await startImport(stack, id, { repositories }));
      await vanish(two);
      const api = createApiClient({ baseUrl: stack.apiUrl, key: stack.apiKey, fetch });
      for (const _ of ['once', 'again']) expect((await api.confirmVanished(id)).vanished).toBeNull();
      expect(await names('presence=gone')).toEqual(two);
      const [gone] = await list('presence=gone');
      expect(gone).toMatchObject({ presence: 'gone', presence_since: expect.any(String), imported: true });
      expect(gone.links.map(({ action }: { action: string }) => action)).not.toContain('sync');
      const refused = await call('POST', `${at()}/imports`, { repositories: [gone.id] });
      expect(refused).toMatchObject({
        status: 422,
        body: { errors: [{ location: 'body.repositories.0', message: expect.stringContaining('gone') }] },
      });
      const sync = await call('POST', `/v1/repositories/${gone.id}/sync`);
      expect([sync.status, sync.body.code]).toEqual([409, 'repository_gone']);
      expect((await call('GET', at())).body.discovered).toMatchObject({
        repositories: 5,
        imported_repositories: 2,
      });
      expect((await call('GET', `/v1/repositories/${gone.id}/commits`)).body.data.length).toBeGreaterThan(0);
    });

    test('seen again it loses its mark, and the feed tells all of it', async () => {
      await call('POST', `${at()}/discover`);
      await discovered(stack, id);
      await waitFor({
        what: 'all are there',
        read: () => names('presence=present'),
        until: (found) => found.length === 7,
      });
      const [one] = await list('search=telemetry&limit=1');
      expect(one.presence_since).not.toBeNull();
      // The feed shows an event when nothing older can come any more, and so a moment later.
      const told = await waitFor({
        what: 'the feed tells that both are back',
        read: async () => (await call('GET', `/v1/events?integration=${id}&limit=200`)).body.data,
        until: (events) =>
          events.filter(({ type }: { type: string }) => type === 'repository_back').length === 2,
      });
      const types = told.map(({ type }: { type: string }) => type);
      expect(types.filter((type: string) => /^vanished|_back$/.test(type))).toEqual([
        'vanished_kept',
        'vanished_confirmed',
        'repository_back',
        'repository_back',
      ]);
      const [confirmed] = told.filter(({ type }: { type: string }) => type === 'vanished_confirmed');
      expect(confirmed).toMatchObject({ data: { repositories: 2 }, by: { api_key_id: expect.any(String) } });
    });

    test('a former name leads to the repository', async () => {
      await world.admin`insert into repository_names (organization_id, repository_id, full_name)
        select organization_id, id, 'acme-rockets/rocket-data' from repositories
        where organization_id = ${stack.organizationId} and full_name = 'acme-rockets/telemetry'`;
      const [found] = await list('search=rocket-data');
      expect(found).toMatchObject({
        full_name: 'acme-rockets/telemetry',
        former_names: [{ full_name: 'acme-rockets/rocket-data', replaced_at: expect.any(String) }],
      });
      expect((await call('GET', `/v1/repositories/${found.id}`)).body.former_names).toHaveLength(1);
    });
  });
};
