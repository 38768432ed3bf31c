import { expect, test } from 'vitest';
import * as ids from '../../../workflows/ids.ts';

const UUID = '018f0000-0000-7000-8000-000000000001';

test('no two kinds of workflow share an id for the same key, and each fits SQL visibility stores (under 200)', () => {
  const all = Object.values(ids).map((make) => make(UUID));
  expect(new Set(all).size).toBe(all.length);
  for (const id of all) expect(id.length).toBeLessThan(200);
});
