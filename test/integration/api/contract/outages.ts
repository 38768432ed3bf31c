import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { askOverSilentServers, askWithoutTemporal } from '../../../support/absentServers.ts';
import { call, world } from '../../../support/apiWorld.ts';
import { createLocalApi } from '../../../support/localApi.ts';

/** An import that shows as running, and on which nobody works. */
async function importOfNobody(): Promise<string> {
  const { body: draft } = await call('POST', '/v1/integrations', {});
  const id = randomUUID();
  await world.admin`insert into imports (id, organization_id, integration_id, mode, selection, state)
    values (${id}, ${world.stack.organizationId}, ${draft.id}, 'changed', '{"all":true}', 'running')`;
  return id;
}

export const describeOutages = (): void => {
  describe('when Temporal is not there', () => {
    test('a Postgres and a Temporal that take connections and never answer: 503', async () => {
      const answers = await askOverSilentServers();
      expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    });

    test('commands are answered 503, reads go on', async () => {
      const { commands, read, ready } = await askWithoutTemporal();
      for (const { path, status } of commands) expect(status, path).toBe(503);
      expect([read.status, ready.status]).toEqual([200, 503]);
    });

    test('more commands than may wait for a worker are told so, and the first ones that none takes them up', async () => {
      const unattended = createLocalApi({
        databaseUrl: world.stack.database.apiUrl,
        commandTimeoutMs: 3_000,
      });
      await unattended.untilReady();
      const { body: draft } = await call('POST', '/v1/integrations', {});
      const create = () =>
        call('POST', `/v1/integrations/${draft.id}/create`, { name: 'x' }, { send: unattended.send });
      const answers = await Promise.all(Array.from({ length: 15 }, create));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect(new Set(answers.map(({ body }) => body.code))).toEqual(
        new Set(['worker_unavailable', 'commands_waiting']),
      );
      await unattended.close();
    });
  });

  describe('a key', () => {
    test('that is revoked ends with the next request', async () => {
      const { key, prefix } = await world.operator.createKey({
        organization: world.stack.organizationId,
        role: 'viewer',
      });
      expect((await call('GET', '/v1/integrations', undefined, { key })).status).toBe(200);
      const importId = await importOfNobody();
      const followed = await fetch(`${world.stack.apiUrl}/v1/imports/${importId}/events`, {
        headers: { Authorization: `Bearer ${key}` },
      });
      const events = followed.body!.getReader();
      expect((await events.read()).done).toBe(false);
      await world.operator.revokeKey(prefix);
      expect((await call('GET', '/v1/integrations', undefined, { key })).status).toBe(401);
      // A stream that is open ends with its next look; the import itself never does.
      for (let piece = await events.read(); !piece.done; piece = await events.read());
      await world.admin`delete from imports where id = ${importId}`;
    });

    test('has so many event streams, and one too many is refused', async () => {
      const importId = await importOfNobody();
      const path = `/v1/imports/${importId}/events`;
      const leaving = new AbortController();
      const follow = () =>
        fetch(world.stack.apiUrl + path, {
          headers: { Authorization: `Bearer ${world.keys.viewer}` },
          signal: leaving.signal,
        });
      const open = await Promise.all(Array.from({ length: 20 }, follow));
      expect(new Set(open.map(({ status }) => status))).toEqual(new Set([200]));
      const refused = await call('GET', path, undefined, { key: world.keys.viewer });
      expect([refused.status, refused.body.code]).toEqual([429, 'too_many_streams']);
      leaving.abort();
      await world.admin`delete from imports where id = ${importId}`;
    });
  });
};
