import { describe, expect, test } from 'vitest';
import { freePort } from '../../../../scripts/servers/freePort.ts';
import { world } from '../../../support/apiWorld.ts';
import { createTenant } from '../../../support/integrationRows.ts';
import { createLocalApi, WEBHOOK_KEY } from '../../../support/localApi.ts';
import { createHook } from '../../../support/webhooks.ts';

export const describeWebhooks = (): void => {
  describe('the receiver of webhooks', () => {
    test('answers what it declares: stored, no event, not signed, no such hook, too large, Postgres away', async () => {
      const tenant = await createTenant(world.admin, 'active');
      await tenant.repositories(1);
      const hook = await createHook(world.admin, tenant, { key: WEBHOOK_KEY });
      const post = async (path: string, delivery: { headers: Record<string, string>; body: Uint8Array }) =>
        (await world.contract.call(world.local.send, 'POST', path, delivery)).status;
      const push = hook.delivery('repo:push', '{}');
      expect(await post(hook.path, push)).toBe(202);
      expect(await post(hook.path, hook.delivery('', '{}'))).toBe(400);
      expect(await post(hook.path, hook.delivery('repo:push', '{}', 2))).toBe(401);
      expect(await post(hook.path.slice(0, -1), push)).toBe(404);
      expect(await post(hook.path, hook.delivery('repo:push', Buffer.alloc(600_000)))).toBe(413);

      const down = createLocalApi({
        databaseUrl: `postgres://nobody:x@127.0.0.1:${await freePort()}/nothing`,
      });
      const { status, headers } = await world.contract.call(down.send, 'POST', hook.path, push);
      expect([status, headers.get('Retry-After')]).toEqual([503, '2']);
      await down.close();
    });
  });
};
