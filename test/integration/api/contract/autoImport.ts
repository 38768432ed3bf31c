import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createApiClient } from '../../../../api/client.ts';
import { call as callAs, type CallOptions, world } from '../../../support/apiWorld.ts';
import { activeIntegration, discovered, importEnded } from '../../../support/connect.ts';
import { otherOrganization } from '../../../support/otherOrganization.ts';
import type { Stack } from '../../../support/stack.ts';
import { waitFor } from '../../../support/waitFor.ts';

export const describeAutoImport = (): void => {
  describe('auto-import and excluded owners', () => {
    let id: string;
    let stack: Stack;
    /** ids by slug */
    const workspaces: Record<string, string> = {};
    const call = (method: string, path: string, body?: unknown, options: CallOptions = {}) =>
      callAs(method, path, body, { key: stack.apiKey, ...options });
    const at = () => `/v1/integrations/${id}`;
    const rulesAt = () => `${at()}/auto-import`;
    const listed = async (path: string): Promise<{ id: string; full_name: string }[]> =>
      (await call('GET', `${at()}/${path}`)).body.data;
    const errorsOf = async (body: object, path = rulesAt(), method = 'PUT') => {
      const answer = await call(method, path, body);
      expect(answer.status).toBe(422);
      return answer.body.errors as { location: string; message: string; fix: string }[];
    };
    /** What the feed tells, once it is so many: an event is shown when nothing older can come any more, and so a moment later. */
    const told = (type: string, count: number): Promise<{ data: unknown }[]> =>
      waitFor({
        what: `the feed tells ${count} of ${type}`,
        read: async () => (await call('GET', `/v1/events?integration=${id}&type=${type}`)).body.data,
        until: (events) => events.length >= count,
      });
    const ofAcme = (more: object = {}) => ({ workspace_id: workspaces['acme-rockets'], ...more });

    test('there are none at first; a draft, and one whose first discovery has not ended, can have none', async () => {
      stack = await otherOrganization(world.stack);
      id = await activeIntegration(stack, { name: 'Grows by itself' });
      for (const { id: workspace, slug } of (await call('GET', `${at()}/workspaces`)).body.data) {
        workspaces[slug] = workspace;
      }
      expect((await call('GET', rulesAt())).body).toEqual({
        version: 0,
        rules: [],
        updated_at: null,
        updated_by: null,
      });
      const { body: draft } = await call('POST', '/v1/integrations', {});
      for (const [method, path, body] of [
        ['PUT', 'auto-import', { version: 0, rules: [] }],
        ['POST', 'auto-import/preview', { rules: [] }],
      ] as const) {
        const early = await call(method, `/v1/integrations/${draft.id}/${path}`, body);
        expect([early.status, early.body.code], path).toEqual([409, 'needs_create']);
      }
      const early = await call('PATCH', `/v1/integrations/${draft.id}`, { excluded_owners: [] });
      expect([early.status, early.body.code]).toEqual([409, 'needs_create']);
      const [before] =
        await world.admin`select last_discovery_at::text as at from integrations where id = ${id}`;
      await world.admin`update integrations set last_discovery_at = null where id = ${id}`;
      const unknown = await call('PUT', rulesAt(), { version: 0, rules: [ofAcme()] });
      expect([unknown.status, unknown.body.code]).toEqual([409, 'not_discovered']);
      await world.admin`update integrations set last_discovery_at = ${before!['at']}::timestamptz where id = ${id}`;
    });

    test('what cannot be meant is refused, with the place, what is wrong, and what to do', async () => {
      const exclude = { patterns: ['^ok-', '(a'] };
      expect(await errorsOf({ version: 0, rules: [ofAcme({ exclude })] })).toMatchObject([
        {
          location: 'body.rules.0.exclude.patterns.1',
          message: expect.stringContaining('missing closing )'),
          fix: expect.stringContaining('RE2'),
        },
      ]);
      const absent = '01990000-0000-7000-8000-000000000009';
      const { workspace_id: workspace } = ofAcme();
      for (const [rules, location] of [
        [[{ workspace_id: absent }], 'body.rules.0.workspace_id'],
        [[ofAcme(), { project_id: absent }], 'body.rules.1.project_id'],
        [[{ project_id: workspace }], 'body.rules.0.project_id'],
        [[ofAcme(), ofAcme({ takes: 'all' })], 'body.rules.1'],
        [[{ workspace_id: workspace, project_id: absent }], 'body.rules.0'],
        [[{}], 'body.rules.0'],
        [[ofAcme({ takes: 'none', exclude: { forks: true } })], 'body.rules.0.exclude'],
        [[ofAcme({ exclude: { not_updated_for_days: 0 } })], 'body.rules.0.exclude.not_updated_for_days'],
        [[ofAcme({ exclude: { patterns: ['.*'] } })], 'body.rules.0.exclude.patterns.0'],
      ] as const) {
        for (const sent of [
          () => errorsOf({ version: 0, rules }),
          () => errorsOf({ rules }, `${rulesAt()}/preview`, 'POST'),
        ]) {
          const [first] = await sent();
          expect(first?.location).toBe(location);
          expect(first?.fix).toMatch(/\.$/);
        }
      }
      const many = Array.from({ length: 6 }, (_, n) => ({
        workspace_id: `01990000-0000-7000-8000-00000000000${n}`,
        exclude: { patterns: Array.from({ length: 20 }, (__, part) => `^x${part}`) },
      }));
      expect(await errorsOf({ version: 0, rules: many })).toMatchObject([
        { location: 'body.rules', message: 'The rules have 120 patterns together.' },
      ]);
      expect((await call('GET', rulesAt())).body.version).toBe(0);
    });

    test('an Idempotency-Key is for one page of a preview: another is another request', async () => {
      const headers = { 'Idempotency-Key': randomUUID() };
      const preview = (limit: number) =>
        call('POST', `${rulesAt()}/preview?limit=${String(limit)}`, { rules: [ofAcme()] }, { headers });
      const first = await preview(1);
      expect(first.status).toBe(200);
      const other = await preview(2);
      expect([other.status, other.body.code]).toEqual([422, 'idempotency_key_reused']);
      expect((await preview(1)).body).toEqual(first.body);
    });

    test('a preview says of each repository whether and why, with counts, page by page, and saves nothing', async () => {
      const preview = (rules: object[], query = '') =>
        call('POST', `${rulesAt()}/preview${query}`, { rules });
      const fresh = (await preview([ofAcme()])).body;
      expect(fresh.counts).toMatchObject({
        repositories: 7,
        taken: 0,
        reasons: { known_before: 5, no_rule: 2, matches: 0 },
      });
      const exclude = { names: ['Telemetry'], patterns: ['^launch'], forks: true };
      const globex = { workspace_id: workspaces['globex'], takes: 'all', exclude: { forks: true } };
      const rules = [ofAcme({ takes: 'all', exclude }), globex];
      // The one of this host is a fork of what is gone, which Bitbucket does not show as one.
      await world.admin`update repositories set parent_uuid = '{origin}'
        where organization_id = ${stack.organizationId} and full_name = 'globex/telemetry-fork'`;
      const whole = (await preview(rules)).body;
      const reasons = Object.fromEntries(
        whole.data.map((row: { full_name: string; reason: string; rule: number }) => [
          row.full_name,
          `${row.reason} ${row.rule}`,
        ]),
      );
      expect(reasons).toEqual({
        'acme-rockets/blank-slate': 'matches 0',
        'acme-rockets/flight-control': 'matches 0',
        'acme-rockets/launch-scripts': 'pattern_excluded 0',
        'acme-rockets/secret-sauce': 'matches 0',
        'acme-rockets/telemetry': 'name_excluded 0',
        'globex/shop': 'matches 1',
        'globex/telemetry-fork': 'fork 1',
      });
      expect(whole.counts).toMatchObject({ repositories: 7, taken: 4 });
      const paged = [];
      for (let cursor = ''; ; ) {
        const { body } = await preview(rules, `?limit=2&taken=true${cursor}`);
        expect(body.counts).toEqual(whole.counts);
        paged.push(...body.data);
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
      }
      expect(paged).toEqual(whole.data.filter(({ taken }: { taken: boolean }) => taken));
      expect(paged).toHaveLength(4);
      expect((await call('GET', rulesAt())).body.version).toBe(0);
      expect((await call('GET', `${at()}/imports`)).body.data).toEqual([]);
    });

    test('excluded owners are not offered, and neither imports of all nor rules take them', async () => {
      const api = createApiClient({ baseUrl: stack.apiUrl, key: stack.apiKey, fetch });
      const globex = workspaces['globex']!;
      expect(
        await errorsOf({ excluded_owners: [globex, '01990000-0000-7000-8000-000000000009'] }, at(), 'PATCH'),
      ).toMatchObject([{ location: 'body.excluded_owners.1' }]);
      for (const _ of ['once', 'again']) {
        expect((await api.excludeOwners(id, [globex])).excluded_owners).toEqual([globex]);
      }
      const offered = await listed('repositories');
      expect(offered.map(({ full_name: name }) => name.split('/')[0])).toEqual(Array(5).fill('acme-rockets'));
      expect(await listed(`repositories?workspace_id=${globex}`)).toHaveLength(2);
      expect((await listed('projects')).length).toBeLessThan(3);
      expect((await call('GET', `${at()}/workspaces`)).body.data).toMatchObject([
        { slug: 'acme-rockets', excluded: false },
        { slug: 'globex', excluded: true },
      ]);
      expect(await errorsOf({ version: 0, rules: [{ workspace_id: globex }] })).toMatchObject([
        { location: 'body.rules.0.workspace_id', message: expect.stringContaining('excluded owners') },
      ]);
      expect((await api.excludeOwners(id, Object.values(workspaces))).excluded_owners).toHaveLength(2);
      const nothing = await call('POST', `${at()}/imports`, { all: true });
      expect([nothing.status, nothing.body.code]).toEqual([409, 'nothing_to_import']);
      await api.excludeOwners(id, [globex]);
      const events = await told('excluded_owners_changed', 3);
      expect(events.map(({ data }) => data)).toEqual([
        { on: [globex], off: [] },
        { on: [workspaces['acme-rockets']], off: [] },
        { on: [], off: [workspaces['acme-rockets']] },
      ]);
    });

    test('of two people at once the second hears of it; the same again is the same change', async () => {
      const one = { version: 0, rules: [ofAcme({ exclude: { forks: true } })] };
      const other = { version: 0, rules: [ofAcme({ exclude: { names: ['attic'] } })] };
      const answers = await Promise.all([
        call('PUT', rulesAt(), one, { headers: { 'Acting-User': 'ada' } }),
        call('PUT', rulesAt(), other, { headers: { 'Acting-User': 'ada' } }),
      ]);
      const [won, lost] = answers[0].status === 200 ? answers : answers.toReversed();
      expect([won!.status, lost!.status]).toEqual([200, 409]);
      expect(lost!.body).toMatchObject({
        code: 'changed_meanwhile',
        fix: expect.stringContaining('/auto-import'),
      });
      expect(won!.body).toMatchObject({ version: 1, updated_by: { acting_user: 'ada' } });
      const again = await call('PUT', rulesAt(), answers[0].status === 200 ? one : other);
      expect([again.status, again.body]).toEqual([200, won!.body]);
      const read = (await call('GET', rulesAt())).body;
      expect(read).toEqual(won!.body);
      // As it was read, with another exclusion: since when it takes what is new stays.
      const changed = { version: 1, rules: [{ ...read.rules[0], exclude: { patterns: ['^attic'] } }] };
      const second = (await call('PUT', rulesAt(), changed)).body;
      expect(second).toMatchObject({ version: 2, rules: [{ since: read.rules[0].since }] });
      const stale = await call('PUT', rulesAt(), { ...changed, rules: [] });
      expect([stale.status, stale.body.code]).toEqual([409, 'changed_meanwhile']);
      const audit = await world.admin`select details, acting_user from audit_events
        where integration_id = ${id} and action = 'auto_import_changed' order by id`;
      expect(audit.map((row) => ({ ...row }))).toEqual([
        { details: { version: 1, rules: 1 }, acting_user: 'ada' },
        { details: { version: 2, rules: 1 }, acting_user: null },
      ]);
    });

    test('what is new at the source is imported once it is discovered, and nothing else', async () => {
      const names = ['attic-1', 'fresh-1'];
      for (const slug of names) {
        await stack.simulator.mutate({
          kind: 'repository.create',
          workspace: 'acme-rockets',
          slug,
          commits: 2,
        });
        await stack.simulator.mutate({ kind: 'repository.create', workspace: 'globex', slug, commits: 1 });
      }
      const discover = async () => {
        const { last_at: before } = (await call('GET', at())).body.discovery;
        await call('POST', `${at()}/discover`, {});
        await waitFor({
          what: 'another discovery is done',
          read: async () => (await call('GET', at())).body.discovery,
          until: ({ state, last_at: last }) => state === 'done' && last !== before,
        });
      };
      await discover();
      const [started] = await waitFor({
        what: 'an import has begun by itself',
        read: async () => (await call('GET', `${at()}/imports`)).body.data,
        until: (imports) => imports.length > 0,
      });
      expect(started).toMatchObject({
        selection: { auto_import: id },
        mode: 'changed',
        started_by: { api_key_id: null, acting_user: 'auto-import' },
      });
      expect(await importEnded(stack, started.id)).toMatchObject({
        state: 'completed',
        repositories: { total: 1, completed: 1 },
      });
      expect((await call('GET', `/v1/imports/${started.id}/repositories`)).body.data).toMatchObject([
        { full_name: 'acme-rockets/fresh-1' },
      ]);
      expect(await told('auto_import_started', 1)).toMatchObject([
        { import_id: started.id, data: { repositories: 1 }, by: null },
      ]);

      await discover();
      await discovered(stack, id);
      const { data } = (await call('POST', `${rulesAt()}/preview`, { rules: [ofAcme()] })).body;
      const reasons = Object.fromEntries(
        data.map((row: { full_name: string; reason: string }) => [row.full_name, row.reason]),
      );
      expect(reasons).toMatchObject({
        'acme-rockets/attic-1': 'matches',
        'acme-rockets/fresh-1': 'imported',
        'acme-rockets/telemetry': 'known_before',
        'globex/fresh-1': 'owner_excluded',
      });
      expect((await call('GET', `${at()}/imports`)).body.data).toHaveLength(1);

      const api = createApiClient({ baseUrl: stack.apiUrl, key: stack.apiKey, fetch });
      const before = await api.autoImport(id);
      const { counts } = await api.previewAutoImport(id, { rules: [] }, { limit: 1 });
      expect(counts.reasons.no_rule).toBe(6);
      const after = await api.changeAutoImport(id, { version: before.version, rules: [] });
      expect(after).toMatchObject({ version: before.version + 1, rules: [] });
      for (const slug of names) {
        for (const workspace of ['acme-rockets', 'globex']) {
          await stack.simulator.mutate({ kind: 'repository.delete', repository: `${workspace}/${slug}` });
        }
      }
    });
  });
};
