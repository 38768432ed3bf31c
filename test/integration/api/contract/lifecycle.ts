import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { ApiProblem, createApiClient } from '../../../../api/client.ts';
import { call, world } from '../../../support/apiWorld.ts';
import { credentialBody, importEnded } from '../../../support/connect.ts';
import type { Checked } from '../../../support/contract.ts';
import { createLocalApi } from '../../../support/localApi.ts';
import { waitFor } from '../../../support/waitFor.ts';

/** Without what a discovery that is still under way (creating began one, too) may move at any time. */
const lasting = (row: Record<string, unknown>) => ({ ...row, last_seen_at: undefined });

export const describeLifecycle = (): void => {
  describe('the line from a credential to rows', () => {
    let id: string;
    let importId: string;

    test('a connection check without an integration; 202 when it takes longer', async () => {
      const done = await call(
        'POST',
        '/v1/connection-checks',
        credentialBody(world.stack, 'app_password.service'),
      );
      expect([done.status, done.body.verdict]).toEqual([200, expect.stringMatching(/^ok/)]);
      expect(done.body.message.code).toBe('connection_ok');
      expect((await call('GET', `/v1/connection-checks/${done.body.id}`)).body).toEqual(done.body);
      const patient = createLocalApi({
        databaseUrl: world.stack.database.apiUrl,
        taskQueue: world.stack.taskQueue,
        commandTimeoutMs: 10_000,
      });
      await patient.untilReady();
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
      id = made.body.id;
      expect(made.body.created_by.acting_user).toBe('ada');
      expect((await call('GET', `/v1/integrations/${id}`)).body.state).toBe('awaiting_credential');
      expect((await call('POST', `/v1/integrations/${id}/create`, { name: 'x' })).status).toBe(409);
      expect((await call('PATCH', `/v1/integrations/${id}`, { name: 'x' })).status).toBe(409);
      const wrong = await call('PUT', `/v1/integrations/${id}/credential`, {
        kind: 'api_token',
        email: 'nobody@example.com',
        token: 'wrong',
      });
      expect([wrong.status, wrong.body.verdict]).toEqual([200, 'failed']);
      expect(wrong.body.report.findings[0].remedy).not.toBe('');
      const right = await call(
        'PUT',
        `/v1/integrations/${id}/credential`,
        credentialBody(world.stack, 'api_token.admin'),
      );
      expect(right.body.verdict).toMatch(/^ok/);
      // The next step is open as soon as the answer says so.
      expect((await call('GET', `/v1/integrations/${id}`)).body.state).toBe('connected');
      expect((await call('GET', `/v1/integrations/${id}/connection-check`)).body.id).toBe(right.body.id);
    });

    test('a credential whose check takes longer is answered 202', async () => {
      const { body: other } = await call('POST', '/v1/integrations', {});
      const patient = createLocalApi({
        databaseUrl: world.stack.database.apiUrl,
        taskQueue: world.stack.taskQueue,
        commandTimeoutMs: 8_000,
      });
      await patient.untilReady();
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
      const path = `/v1/integrations/${id}/create`;
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
      const renamed = await call('PATCH', `/v1/integrations/${id}`, { name: 'Acme Corp' });
      expect([renamed.status, renamed.body.name]).toEqual([200, 'Acme Corp']);
    });

    test('discovery and its lists, page by page', async () => {
      const { status, headers } = await call('POST', `/v1/integrations/${id}/discover`, {});
      expect([status, headers.get('Location')]).toEqual([202, `/v1/integrations/${id}`]);
      await waitFor({
        what: 'the discovery is done',
        read: async () => (await call('GET', `/v1/integrations/${id}`)).body.discovery.state,
        until: (state) => state === 'done',
      });
      for (const list of ['workspaces', 'projects', 'repositories']) {
        const whole = (await call('GET', `/v1/integrations/${id}/${list}`)).body.data.map(lasting);
        expect(whole.length, list).toBeGreaterThan(0);
        const paged: unknown[] = [];
        for (let cursor: string | null = ''; cursor !== null; ) {
          const { body }: Checked = await call(
            'GET',
            `/v1/integrations/${id}/${list}?limit=1${cursor === '' ? '' : `&cursor=${cursor}`}`,
          );
          paged.push(...body.data.map(lasting));
          cursor = body.next_cursor;
        }
        expect(paged, list).toEqual(whole);
        const search = encodeURIComponent(whole[0].name.slice(0, 4));
        const { body } = await call('GET', `/v1/integrations/${id}/${list}?search=${search}`);
        expect(body.data.map(lasting)).toContainEqual(whole[0]);
        expect((await call('GET', `/v1/integrations/${id}/${list}?search=%25%00_x`)).body.data).toEqual([]);
      }
    });

    test('an estimate: asks a little, says what an import would take, and imports nothing', async () => {
      const path = `/v1/integrations/${id}/imports`;
      const unknown = await call('POST', path, { repositories: [randomUUID()], dry_run: true });
      expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
      const key = { headers: { 'Idempotency-Key': randomUUID() } };
      const asked = await call('POST', path, { all: true, dry_run: true }, key);
      const at = `/v1/import-estimates/${asked.body.id}`;
      expect([asked.status, asked.headers.get('Location'), asked.body.state]).toEqual([202, at, 'pending']);
      const again = await call('POST', path, { all: true, dry_run: true }, key);
      expect(again.body).toEqual(asked.body);
      const { body } = await waitFor({
        what: 'the estimate is done',
        read: () => call('GET', at),
        until: (read) => read.body.state === 'done' || read.body.state === 'failed',
      });
      expect(body).toMatchObject({ state: 'done', error: null, waiting: null });
      expect(body.repositories).toEqual({ total: body.sample.length, sampled: body.sample.length });
      expect(body.requests.expected).toBeGreaterThan(0);
      expect(Date.parse(body.ends.expected)).toBeGreaterThanOrEqual(Date.parse(body.ends.low));
      expect(body.streams.map(({ stream }: { stream: string }) => stream)).toContain('pull_requests');
      for (const one of body.sample) expect(one.asked, one.full_name).toBeLessThanOrEqual(3);
      expect((await call('GET', path)).body.data).toEqual([]);
    });

    test('an import: unknown ids are named, then it runs and is followed to its end', async () => {
      const path = `/v1/integrations/${id}/imports`;
      const nothing = randomUUID();
      const unknown = await call('POST', path, { repositories: [nothing] });
      expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
      expect((await call('POST', path, {})).status).toBe(422);
      expect((await call('POST', path, { all: true, projects: [nothing] })).status).toBe(422);
      const started = await call('POST', path, { all: true });
      expect(started.status).toBe(202);
      importId = started.body.id;
      const events = await call('GET', `/v1/imports/${importId}/events`);
      expect(events.body).toContain('event: import_started');
      expect(events.body).toContain('event: import_completed');
      await importEnded(world.stack, importId);
      const { body } = await call('GET', `/v1/imports/${importId}`);
      expect(body.state).toBe('completed');
      expect(body.repositories.completed).toBe(body.repositories.total);
      expect((await call('GET', path)).body.data[0].id).toBe(importId);
      const { body: repositories } = await call('GET', `/v1/imports/${importId}/repositories?limit=2`);
      expect(repositories.data).toHaveLength(2);
      expect((await call('GET', `/v1/imports/${importId}/repositories?state=failed`)).body.data).toEqual([]);
    });

    test('webhooks: registered, listed with what each covers, rotated, removed', async () => {
      const path = `/v1/integrations/${id}/webhooks`;
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

    test('the completeness report: every record that the source announces is accounted for', async () => {
      const { body } = await call('GET', `/v1/imports/${importId}/completeness`);
      expect(body).toMatchObject({ status: 'complete', adds_up: true, not_complete: [] });
      expect(body.streams.map(({ stream }: { stream: string }) => stream)).toContain('pull_requests');
      for (const total of body.streams) {
        expect(total.expected, total.stream).toBe(
          total.stored + total.quarantined + total.gone + total.not_permitted,
        );
        expect([total.missing, total.surplus]).toEqual([0, 0]);
      }
      const { data } = (await call('GET', `/v1/imports/${importId}/repositories`)).body;
      const one = await call('GET', `/v1/repositories/${data[0].repository_id}/completeness`);
      expect(one.body).toMatchObject({ import_id: importId, status: 'complete', adds_up: true, error: null });
      for (const stream of one.body.streams) {
        expect([stream.status, stream.adds_up]).toEqual(
          stream.status === 'unavailable' ? ['unavailable', null] : ['complete', true],
        );
        if (stream.status === 'complete') expect(stream.expected_basis.text).not.toBe('Not described.');
      }
    });

    test('the quarantine: listed with bytes and place; tried again, what passes leaves it', async () => {
      const path = `/v1/integrations/${id}/quarantine`;
      expect((await call('GET', path)).body).toEqual({ data: [], next_cursor: null });
      const [repository] = (await call('GET', `/v1/imports/${importId}/repositories`)).body.data;
      const good =
        '{"id":90001,"title":"<b>late</b>","state":"OPEN","created_on":"2026-01-01T00:00:00Z","updated_on":"2026-01-01T00:00:00Z"}';
      for (const [key, raw] of [
        ['90001', good],
        ['90002', '{"id":90002}'],
      ] as const) {
        await world.admin`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason,
          request_path, page_index, import_id) values (gen_random_uuid(), ${world.stack.organizationId},
          ${repository.repository_id}, 'pull_requests', ${key}, ${Buffer.from(raw)}, 'title: is missing', '/x?y=1', 3,
          ${importId})`;
      }
      const { body } = await call(
        'GET',
        `${path}?repository=${repository.repository_id}&stream=pull_requests`,
      );
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

    test('the event stream resumes after the last event seen, and says when there is no more', async () => {
      const path = `/v1/imports/${importId}/events`;
      const idsOf = (text: string): number[] =>
        [...text.matchAll(/^id: (\d+)$/gm)].map(([, value]) => Number(value));
      const all = idsOf((await call('GET', path)).body);
      expect(all).toEqual(all.toSorted((a, b) => a - b));
      const middle = all[Math.floor(all.length / 2)]!;
      const rest = await call('GET', path, undefined, { headers: { 'Last-Event-ID': String(middle) } });
      expect(idsOf(rest.body)).toEqual(all.filter((value) => value > middle));
      const end = await call('GET', path, undefined, { headers: { 'Last-Event-ID': String(all.at(-1)) } });
      expect(end.status).toBe(204);
      expect((await call('GET', path, undefined, { headers: { 'Last-Event-ID': 'x' } })).status).toBe(400);
    });

    test('an import is paused, resumed and cancelled; what makes no sense is refused with the way out', async () => {
      world.stack.simulator.faults.set({
        rules: [{ match: { path: '/2.0/' }, fault: { kind: 'delay', ms: 400 } }],
      });
      const started = await call('POST', `/v1/integrations/${id}/imports`, { all: true, mode: 'full' });
      const at = `/v1/imports/${started.body.id}`;
      const actions = async () =>
        (await call('GET', at)).body.links.map(({ action }: { action: string }) => action);
      expect(await actions()).toEqual(expect.arrayContaining(['pause', 'cancel']));
      const early = await call('POST', `${at}/resume`, {});
      expect([early.status, early.body.code]).toEqual([409, 'import_not_paused']);
      expect((await call('POST', `${at}/retry-failed`, {})).body.code).toBe('nothing_failed');
      for (const _ of ['once', 'again']) {
        const paused = await call('POST', `${at}/pause`, {}, { headers: { 'Acting-User': 'ada' } });
        expect([paused.status, paused.headers.get('Location'), paused.body.state]).toEqual([
          202,
          at,
          'paused',
        ]);
        expect(paused.body.waiting.reason).toBe('A person paused the import');
      }
      expect(await actions()).toEqual(expect.arrayContaining(['resume', 'cancel']));
      expect((await call('POST', `${at}/resume`)).status).toBe(202);
      expect((await call('POST', `${at}/resume`)).status).toBe(202);
      for (const _ of ['once', 'again']) {
        expect((await call('POST', `${at}/cancel`, {}, { key: world.keys.manager })).status).toBe(202);
      }
      world.stack.simulator.faults.clear();
      await waitFor({
        what: 'the import is cancelled',
        read: async () => (await call('GET', at)).body.state,
        until: (state) => state === 'cancelled',
      });
      expect(await actions()).not.toContain('pause');
      for (const command of ['pause', 'resume', 'retry-failed']) {
        const late = await call('POST', `${at}/${command}`, {});
        expect([late.status, late.body.code], command).toEqual([409, 'import_ended']);
        expect(late.body.fix).toContain('checkpoints');
      }
      expect((await call('POST', `${at}/cancel`)).body.state).toBe('cancelled');
      const { body: events } = await call('GET', `${at}/events`);
      for (const type of ['import_paused', 'import_resumed', 'import_cancelling', 'import_cancelled']) {
        expect(events.match(new RegExp(`^event: ${type}$`, 'gm')), type).toHaveLength(1);
      }
      expect(events).toContain('"acting_user":"ada"');
    });

    test('failed repositories are tried again in the same import', async () => {
      const at = `/v1/imports/${importId}`;
      const unknown = await call('POST', `${at}/retry-failed`, { repositories: [randomUUID()] });
      expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
      const [failed] = await world.admin`
        update import_repositories set state = 'failed' where import_id = ${importId} and place = 1
        returning repository_id`;
      await world.admin`update imports set state = 'completed_with_failures', repositories_failed = 1,
        repositories_completed = repositories_completed - 1 where id = ${importId}`;
      const { body: before } = await call('GET', at);
      expect(before.links.map(({ action }: { action: string }) => action)).toContain('retry_failed');
      const again = await call('POST', `${at}/retry-failed`, { repositories: [failed!['repository_id']] });
      expect([again.status, again.headers.get('Location')]).toEqual([202, at]);
      const ended = await importEnded(world.stack, importId);
      expect(ended.state).toBe('completed');
      expect(ended.repositories.completed).toBe(ended.repositories.total);
      const refused = await call('POST', `${at}/retry-failed`, { repositories: [failed!['repository_id']] });
      expect([refused.status, refused.body.code]).toEqual([409, 'nothing_failed']);
    });

    test('staying in sync by hand: one repository, all of them, and what is refused', async () => {
      const { data } = (await call('GET', `/v1/integrations/${id}/repositories?imported=true&limit=1`)).body;
      const at = `/v1/repositories/${data[0].id}`;
      const one = await call('POST', `${at}/sync`, { services: ['repositories'] });
      expect([one.status, one.headers.get('Location')]).toEqual([202, at]);
      await waitFor({
        what: 'the sync has ended well',
        read: async () => (await call('GET', at)).body.sync,
        until: (sync) => sync?.state === 'completed' && sync.last_success_at !== null,
      });
      const all = await call('POST', `/v1/integrations/${id}/sync`, {});
      expect([all.status, all.headers.get('Location')]).toEqual([202, `/v1/integrations/${id}/repositories`]);
      for (const path of [`${at}/sync`, `/v1/integrations/${id}/sync`]) {
        expect((await call('POST', path, { since: '2020-01-01T00:00:00Z' })).status).toBe(202);
        const future = await call('POST', path, { since: '2999-01-01T00:00:00Z' });
        expect([future.status, future.body.errors[0].location]).toEqual([422, 'body.since']);
      }
      const unknown = await call('POST', `${at}/sync`, { services: ['wiki'] });
      expect(unknown.status).toBe(422);
      const { body: draft } = await call('POST', '/v1/integrations', {});
      const early = await call('POST', `/v1/integrations/${draft.id}/sync`, {});
      expect([early.status, early.body.code]).toEqual([409, 'integration_not_active']);
      await call('DELETE', `/v1/integrations/${draft.id}`);
    });

    test('the data: repositories, commits with files, pull requests with participants and comments, tickets', async () => {
      const { data } = (await call('GET', `/v1/integrations/${id}/repositories?imported=true&limit=200`))
        .body;
      const seen = { commits: 0, files: 0, pullRequests: 0, comments: 0, activity: 0, tickets: 0 };
      for (const repository of data) {
        const at = `/v1/repositories/${repository.id}`;
        expect((await call('GET', at)).body.imported).toBe(true);
        const commits = (await call('GET', `${at}/commits?include=files&limit=20`)).body.data;
        seen.commits += commits.length;
        seen.files += commits.flatMap((commit: { files: unknown[] }) => commit.files).length;
        const pullRequests = (await call('GET', `${at}/pull-requests?limit=10`)).body.data;
        seen.pullRequests += pullRequests.length;
        for (const { number } of pullRequests) {
          seen.activity += (await call('GET', `${at}/pull-requests/${number}`)).body.activity.length;
          seen.comments += (await call('GET', `${at}/pull-requests/${number}/comments`)).body.data.length;
        }
        seen.tickets += (await call('GET', `${at}/tickets`)).body.data.length;
      }
      for (const [what, count] of Object.entries(seen)) expect(count, what).toBeGreaterThan(0);
      const paged = await pagesOf(`/v1/repositories/${data[0].id}/commits`, 7);
      expect(paged).toEqual(
        (await call('GET', `/v1/repositories/${data[0].id}/commits?limit=200`)).body.data,
      );
    });

    test('the typed client reads the same, and throws problems', async () => {
      const api = createApiClient({ baseUrl: world.stack.apiUrl, key: world.keys.admin, fetch });
      expect((await api.integration(id)).name).toBe('Acme Corp');
      const { data } = await api.repositories(id, { imported: true, limit: 1 });
      expect(data).toHaveLength(1);
      expect((await api.import(importId)).state).toBe('completed');
      await expect(api.pauseImport(importId)).rejects.toMatchObject({ code: 'import_ended' });
      await expect(api.resumeImport(importId)).rejects.toMatchObject({ code: 'import_ended' });
      await expect(api.cancelImport(importId)).rejects.toMatchObject({ code: 'import_ended' });
      await expect(api.retryFailed(importId)).rejects.toMatchObject({ code: 'nothing_failed' });
      const { id: estimateId } = await api.estimateImport(id, { repositories: [data[0]!.id] });
      expect((await api.importEstimate(estimateId)).repositories.total).toBeOneOf([null, 1]);
      expect((await api.importCompleteness(importId)).adds_up).toBe(true);
      expect((await api.repositoryCompleteness(data[0]!.id)).import_id).toBe(importId);
      await expect(api.activate(id, { name: 'Another' })).rejects.toMatchObject({ code: 'already_created' });
      await expect(api.pullRequest(data[0]!.id, 999_999)).rejects.toThrow(ApiProblem);
    });

    test('a draft is deleted at once and stays gone', async () => {
      const { body: draft } = await call('POST', '/v1/integrations', {});
      expect((await call('DELETE', `/v1/integrations/${draft.id}`)).status).toBe(204);
      expect((await call('GET', `/v1/integrations/${draft.id}`)).status).toBe(404);
      expect((await call('DELETE', `/v1/integrations/${draft.id}`)).status).toBe(404);
      expect((await call('GET', '/v1/integrations?limit=2')).body.data).toHaveLength(2);
      expect((await call('GET', '/v1/providers')).body.data[0].credential_kinds[0].kind).toBe('oauth');
    });
  });
};

const retried = async (retryId: string): Promise<Record<string, unknown>> =>
  waitFor({
    what: 'the retry ends',
    read: async () => (await call('GET', `/v1/quarantine-retries/${retryId}`)).body,
    until: ({ state }) => state === 'done' || state === 'failed',
  });

async function pagesOf(path: string, limit: number): Promise<unknown[]> {
  const rows: unknown[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body }: Checked = await call(
      'GET',
      `${path}?limit=${limit}${cursor === '' ? '' : `&cursor=${cursor}`}`,
    );
    rows.push(...body.data);
    cursor = rows.length >= 200 ? null : body.next_cursor;
  }
  return rows;
}
