import { expect, test } from 'vitest';
import { id } from '../../../api/schemas/shared.ts';

test('an id in capitals becomes the one that rows, workflows and folders have', () => {
  const written = '0199c3c2-8c5a-7a50-8b5e-0a8d7c5f1e11';
  expect(id.parse(written.toUpperCase())).toBe(written);
  expect(id.safeParse(`${written}0`).success).toBe(false);
});
