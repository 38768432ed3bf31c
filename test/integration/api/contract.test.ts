import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeWorld, openWorld, world } from '../../support/apiWorld.ts';
import { describeAutoImport } from './contract/autoImport.ts';
import { describeEveryOperation } from './contract/everyOperation.ts';
import { describeIdempotency } from './contract/idempotency.ts';
import { describeLifecycle } from './contract/lifecycle.ts';
import { describeManaging } from './contract/managing.ts';
import { describeOauth } from './contract/oauth.ts';
import { describeOutages } from './contract/outages.ts';
import { describeRemoval } from './contract/removal.ts';
import { describeVanished } from './contract/vanished.ts';
import { describeWebhooks } from './contract/webhooks.ts';

/**
 * Every operation against its own document: every answer of every test here is validated, and the last test fails when a
 * declared status was never seen.
 */
beforeAll(openWorld);
afterAll(closeWorld);

describeEveryOperation();
describeIdempotency();
describeLifecycle();
describeManaging();
describeAutoImport();
describeOauth();
describeOutages();
describeRemoval();
describeVanished();
describeWebhooks();

test('every declared status of every operation was seen', () => {
  expect(world.contract.operations.length).toBeGreaterThan(25);
  expect(world.contract.unseen()).toEqual([]);
});
