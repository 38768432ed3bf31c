import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { call, world } from '../../../../support/apiWorld.ts';
import { importEnded } from '../../../../support/connect.ts';
import { waitFor } from '../../../../support/waitFor.ts';
import type { Line } from './line.ts';

export function testImporting(line: Line): void {
  test('an estimate: asks a little, says what an import would take, and imports nothing', async () => {
    const path = `/v1/integrations/${line.integrationId}/imports`;
    const unknown = await call('POST', path, { repositories: [randomUUID()], dry_run: true });
    expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
    const key = { headers: { 'Idempotency-Key': randomUUID() } };
    const asked = await call('POST', path, { all: true, dry_run: true }, key);
    const at = `/v1/import-estimates/${asked.body.id}`;
    expect([asked.status, asked.headers.get('Location')]).toEqual([202, at]);
    // It is read after its workflow was started, which may have begun by then.
    expect(['pending', 'running']).toContain(asked.body.state);
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
    const path = `/v1/integrations/${line.integrationId}/imports`;
    const nothing = randomUUID();
    const unknown = await call('POST', path, { repositories: [nothing] });
    expect([unknown.status, unknown.body.errors[0].location]).toEqual([422, 'body.repositories.0']);
    expect((await call('POST', path, {})).status).toBe(422);
    expect((await call('POST', path, { all: true, projects: [nothing] })).status).toBe(422);
    const started = await call('POST', path, { all: true });
    expect(started.status).toBe(202);
    line.importId = started.body.id;
    const events = await call('GET', `/v1/imports/${line.importId}/events`);
    expect(events.body).toContain('event: import_started');
    expect(events.body).toContain('event: import_completed');
    await importEnded(world.stack, line.importId);
    const { body } = await call('GET', `/v1/imports/${line.importId}`);
    expect(body.state).toBe('completed');
    expect(body.repositories.completed).toBe(body.repositories.total);
    expect((await call('GET', path)).body.data[0].id).toBe(line.importId);
    const { body: repositories } = await call('GET', `/v1/imports/${line.importId}/repositories?limit=2`);
    expect(repositories.data).toHaveLength(2);
    expect((await call('GET', `/v1/imports/${line.importId}/repositories?state=failed`)).body.data).toEqual(
      [],
    );
  });
}
