import { expect, test } from 'vitest';
import { createStreamLimit } from '../../../api/streamLimit.ts';

test('a key has so many, the process too, and a release counts once', () => {
  const limit = createStreamLimit({ perKey: 2, inAll: 3 });
  const [first, second] = [limit.take('a'), limit.take('a')];
  expect([first, second]).not.toContain(null);
  expect(limit.take('a')).toBeNull();
  expect(limit.take('b')).not.toBeNull();
  expect(limit.take('b')).toBeNull();
  first?.();
  first?.();
  expect(limit.take('a')).not.toBeNull();
  expect(limit.take('a')).toBeNull();
  second?.();
  expect(limit.take('b')).not.toBeNull();
  expect(limit.take('c')).toBeNull();
});
