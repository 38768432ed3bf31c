import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { call, world } from '../../../../support/apiWorld.ts';
import { importEnded } from '../../../../support/connect.ts';
import { waitFor } from '../../../../support/waitFor.ts';
import type { Line } from './line.ts';

export function testControl(line: Line): void {
  test('an import is paused, resumed and cancelled; what makes no sense is refused with the way out', async () => {
    world.stack.simulator.faults.set({
      rules: [{ match: { path: '/2.0/' }, fault: { kind: 'delay', ms: 400 } }],
    });
    const started = await call('POST', `/v1/integrations/${line.integrationId}/imports`, {
      all: true,
      mode: 'full',
    });
    const at = `/v1/imports/${started.body.id}`;
    const actions = async () =>
      (await call('GET', at)).body.links.map(({ action }: { action: string }) => action);
    expect(await actions()).toEqual(expect.arrayContaining(['pause', 'cancel']));
    const early = await call('POST', `${at}/resume`, {});
    expect([early.status, early.body.code]).toEqual([409, 'import_not_paused']);
    expect((await call('POST', `${at}/retry-failed`, {})).body.code).toBe('nothing_failed');
    for (const _ of ['once', 'again']) {
      const paused = await call('POST', `${at}/pause`, {}, { headers: { 'Acting-User': 'ada' } });
      expect([paused.status, paused.headers.get('Location'), paused.body.state]).toEqual([202, at, 'paused']);
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
    const at = `/v1/imports/${line.importId}`;
    const unknown = await call('POST', `${at}/retry-failed`, { repositories: [randomUUID()] });
    expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
    const [failed] = await world.admin`
      update import_repositories set state = 'failed' where import_id = ${line.importId} and place = 1
      returning repository_id`;
    await world.admin`update imports set state = 'completed_with_failures', repositories_failed = 1,
      repositories_completed = repositories_completed - 1 where id = ${line.importId}`;
    const { body: before } = await call('GET', at);
    expect(before.links.map(({ action }: { action: string }) => action)).toContain('retry_failed');
    const again = await call('POST', `${at}/retry-failed`, { repositories: [failed!['repository_id']] });
    expect([again.status, again.headers.get('Location')]).toEqual([202, at]);
    const ended = await importEnded(world.stack, line.importId);
    expect(ended.state).toBe('completed');
    expect(ended.repositories.completed).toBe(ended.repositories.total);
    const refused = await call('POST', `${at}/retry-failed`, { repositories: [failed!['repository_id']] });
    expect([refused.status, refused.body.code]).toEqual([409, 'nothing_failed']);
  });

  test('an old range is read again, as far back as it was asked: of one repository, and of all of the integration', async () => {
    const imported = `/v1/integrations/${line.integrationId}/repositories?imported=true&limit=200`;
    const idOf = new Map<string, string>(
      (await call('GET', imported)).body.data.map((row: { full_name: string; id: string }) => [
        row.full_name,
        row.id,
      ]),
    );
    const [one, other] = [idOf.get('acme-rockets/flight-control')!, idOf.get('acme-rockets/telemetry')!];
    const lastSuccess = async (id: string): Promise<string | null> =>
      (await call('GET', `/v1/repositories/${id}`)).body.sync?.last_success_at ?? null;
    const synced = async (ids: string[], path: string, body: object) => {
      const before = new Map(await Promise.all(ids.map(async (id) => [id, await lastSuccess(id)] as const)));
      expect((await call('POST', path, body)).status).toBe(202);
      for (const id of ids) {
        await waitFor({
          what: `${path} has brought ${id} up to date`,
          read: () => lastSuccess(id),
          until: (at) => at !== before.get(id),
        });
      }
    };
    /** Its oldest pull request, and one in the middle, are not as they are at the source, which says nothing of it. */
    const spoil = async (id: string) => {
      const byAge = await world.admin`
        select number, updated_on::text as at from pull_requests where repository_id = ${id} order by updated_on`;
      const chosen = [byAge[0]!, byAge[Math.floor(byAge.length / 2)]!];
      await world.admin`
        update pull_requests set title = 'as it never was', updated_on = updated_on - interval '1 second'
        where repository_id = ${id} and number = any (${chosen.map((row) => row['number'] as number)})`;
      const [oldest, middle] = chosen.map((row) => ({
        number: row['number'] as number,
        since: new Date(row['at'] as string).toISOString(),
      }));
      return { oldest: oldest!, middle: middle! };
    };
    const spoiled = async (id: string): Promise<unknown[]> =>
      (
        await world.admin`select number from pull_requests
          where repository_id = ${id} and title = 'as it never was' order by updated_on`
      ).map((row) => row['number'] as unknown);
    const ofOne = await spoil(one);
    const ofOther = await spoil(other);
    const both = ({ oldest, middle }: typeof ofOne) => [oldest.number, middle.number];

    const oneSync = `/v1/repositories/${one}/sync`;
    await synced([one], oneSync, {});
    expect(await spoiled(one)).toEqual(both(ofOne));
    await synced([one], oneSync, { since: ofOne.middle.since });
    expect(await spoiled(one)).toEqual([ofOne.oldest.number]);
    await synced([one], oneSync, { since: '2001-01-01T00:00:00Z' });
    expect(await spoiled(one)).toEqual([]);
    await synced([other], `/v1/repositories/${other}/sync`, {});
    expect(await spoiled(other)).toEqual(both(ofOther));

    await spoil(one);
    const [first = ''] = [ofOne.oldest.since, ofOther.oldest.since].toSorted();
    await synced([...idOf.values()], `/v1/integrations/${line.integrationId}/sync`, { since: first });
    expect([await spoiled(one), await spoiled(other)]).toEqual([[], []]);
  });

  test('staying in sync by hand: one repository, all of them, and what is refused', async () => {
    const { data } = (
      await call('GET', `/v1/integrations/${line.integrationId}/repositories?imported=true&limit=1`)
    ).body;
    const at = `/v1/repositories/${data[0].id}`;
    const one = await call('POST', `${at}/sync`, { services: ['repositories'] });
    expect([one.status, one.headers.get('Location')]).toEqual([202, at]);
    await waitFor({
      what: 'the sync has ended well',
      read: async () => (await call('GET', at)).body.sync,
      until: (sync) => sync?.state === 'completed' && sync.last_success_at !== null,
    });
    const all = await call('POST', `/v1/integrations/${line.integrationId}/sync`, {});
    expect([all.status, all.headers.get('Location')]).toEqual([
      202,
      `/v1/integrations/${line.integrationId}/repositories`,
    ]);
    for (const path of [`${at}/sync`, `/v1/integrations/${line.integrationId}/sync`]) {
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
}
