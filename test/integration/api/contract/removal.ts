import { describe, expect, test } from 'vitest';
import { createApiClient } from '../../../../api/client.ts';
import { call, world } from '../../../support/apiWorld.ts';
import { activeIntegration, importEnded, startImport } from '../../../support/connect.ts';
import { waitFor } from '../../../support/waitFor.ts';

const NAME = 'To be removed';

export const describeRemoval = (): void => {
  describe('removing', () => {
    let at: string;
    let id: string;

    test('a repository: confirmed by its name, its data goes, it stays discovered', async () => {
      id = await activeIntegration(world.stack, { name: NAME });
      at = `/v1/integrations/${id}`;
      await importEnded(world.stack, await startImport(world.stack, id));
      const { data } = (await call('GET', `${at}/repositories?imported=true`)).body;
      const [gone, stays] = data;
      const path = `/v1/repositories/${gone.id}`;
      const missing = await call('DELETE', path);
      expect([missing.status, missing.body.code, missing.body.errors[0].location]).toEqual([
        422,
        'confirm_missing',
        'query.confirm',
      ]);
      expect(missing.body.fix).toContain(`?confirm=${encodeURIComponent(gone.full_name)} `);
      const wrong = await call('DELETE', `${path}?confirm=${stays.full_name}`);
      expect([wrong.status, wrong.body.code]).toEqual([409, 'confirm_mismatch']);

      const confirmed = `${path}?confirm=${encodeURIComponent(gone.full_name)}`;
      const asked = await call('DELETE', confirmed, undefined, { headers: { 'Acting-User': 'ada' } });
      expect([asked.status, asked.headers.get('Location')]).toEqual([202, path]);
      expect(asked.body.removed_at).not.toBeNull();
      const { body } = await waitFor({
        what: 'the repository is removed',
        read: () => call('GET', path),
        until: (answer) => answer.body.removal === null,
      });
      expect(body).toMatchObject({
        imported: false,
        integration_id: null,
        streams: [],
        removed_at: asked.body.removed_at,
      });
      expect((await call('GET', `${path}/commits`)).body.data).toEqual([]);
      expect((await call('GET', `${path}/completeness`)).body.streams).toEqual([]);
      expect((await call('GET', `/v1/repositories/${stays.id}/completeness`)).body.adds_up).toBe(true);
      const audit = await world.admin`select action from audit_events
        where details ->> 'repository_id' = ${gone.id} and acting_user = 'ada' order by id`;
      expect(audit.map(({ action }) => action)).toEqual([
        'repository_removal_requested',
        'repository_removed',
      ]);

      await importEnded(world.stack, await startImport(world.stack, id));
      expect((await call('GET', path)).body.imported).toBe(false);
      await world.admin`insert into removals (organization_id, subject_id, repository_id)
        values (${world.stack.organizationId}, ${gone.id}, ${gone.id})`;
      const busy = await call('POST', `${at}/imports`, { repositories: [gone.id] });
      expect([busy.status, busy.body.code]).toEqual([409, 'repository_being_removed']);
      await world.admin`delete from removals where subject_id = ${gone.id}`;
      const named = await startImport(world.stack, id, { repositories: [gone.id] });
      expect((await importEnded(world.stack, named)).state).toBe('completed');
      expect((await call('GET', path)).body).toMatchObject({
        imported: true,
        integration_id: id,
        removed_at: null,
      });
      expect((await call('GET', `${path}/completeness`)).body.adds_up).toBe(true);
    });

    test('an integration: confirmed by its name, shown until it is gone, then 404', async () => {
      const missing = await call('DELETE', at);
      expect([missing.status, missing.body.code]).toEqual([422, 'confirm_missing']);
      const wrong = await call('DELETE', `${at}?confirm=to+be+removed`);
      expect([wrong.status, wrong.body.code]).toEqual([409, 'confirm_mismatch']);
      expect(wrong.body.fix).toContain('?confirm=To%20be%20removed ');
      const { body: before } = await call('GET', at);
      expect([before.state, before.removal]).toEqual(['active', null]);
      expect(before.links.map(({ action }: { action: string }) => action)).toContain('delete');

      // Stands still in front of this row, so that its state can be read.
      const asked = await world.admin.begin(async (tx) => {
        await tx`select from credentials where integration_id = ${id} for update`;
        const answer = await call('DELETE', `${at}?confirm=${encodeURIComponent(NAME)}`);
        await waitFor({
          what: 'the removal has let go of the webhooks, which need the credential',
          read: async () => (await call('GET', at)).body.removal,
          until: (removal) => removal?.step === 'webhooks',
        });
        const shown = (await call('GET', at)).body;
        expect(shown).toMatchObject({
          state: 'disconnecting',
          removal: { step: 'webhooks', rows_left: null },
        });
        const refused = await call('POST', `${at}/imports`, { all: true });
        expect([refused.status, refused.body.code]).toEqual([409, 'disconnecting']);
        const api = createApiClient({ baseUrl: world.stack.apiUrl, key: world.keys.admin, fetch });
        expect((await api.deleteIntegration(id, NAME)).state).toBe('disconnecting');
        return answer;
      });
      expect([asked.status, asked.headers.get('Location'), asked.body.state]).toEqual([
        202,
        at,
        'disconnecting',
      ]);
      await waitFor({
        what: 'the integration is gone',
        read: async () => (await call('GET', at)).status,
        until: (status) => status === 404,
      });
      for (const path of [`${at}/repositories`, `${at}/imports`, `${at}/connection-check`]) {
        expect((await call('GET', path)).status, path).toBe(404);
      }
      expect((await call('DELETE', `${at}?confirm=${encodeURIComponent(NAME)}`)).status).toBe(404);
    });
  });
};
