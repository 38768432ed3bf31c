import { expect, test } from 'vitest';
import { deliveryId } from '../../../api/webhooks/deliveryId.ts';

const HOOK = '01990000-0000-7000-8000-000000000001';
const bytes = (text: string) => new TextEncoder().encode(text);

test('the same body of the same event to the same hook is the same delivery, anything else another', () => {
  const id = deliveryId(HOOK, 'repo:push', bytes('{}'));
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(deliveryId(HOOK, 'repo:push', bytes('{}'))).toBe(id);
  const others = [
    deliveryId(HOOK.replace(/1$/, '2'), 'repo:push', bytes('{}')),
    deliveryId(HOOK, 'repo:updated', bytes('{}')),
    deliveryId(HOOK, 'repo:push', bytes('{ }')),
  ];
  expect(new Set([id, ...others]).size).toBe(4);
});
