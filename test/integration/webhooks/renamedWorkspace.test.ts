import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWebhookBench } from '../../support/webhookSituation.ts';

let bench: Awaited<ReturnType<typeof createWebhookBench>>;
beforeAll(async () => {
  bench = await createWebhookBench();
});
afterAll(() => bench.close());

it('the hook of a workspace is looked up under its new slug before a discovery has seen that', async () => {
  const acme = await bench.registered();
  const before = await acme.stored();
  await bench.sql`update workspaces set slug = 'former' where slug = 'acme-rockets'
    and organization_id = ${acme.organizationId}`;
  const since = bench.mark();
  await acme.round();
  expect(await acme.stored()).toEqual(before);
  expect(bench.asked(since)).toContain('GET /2.0/workspaces/acme-rockets/hooks');
  expect(bench.asked(since).join(' ')).not.toContain('former');
});
