import { expect, test } from 'vitest';
import { createTurnstile } from '../../../api/turnstile.ts';

test('so much at a time, in turn, also behind what failed', async () => {
  const turnstile = createTurnstile(2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const works = [0, 1, 2, 3].map((number) =>
    turnstile(async () => {
      begun.push(number);
      await new Promise<void>((resolve) => ends.push(resolve));
      if (number === 0) throw new Error('it failed');
      return number;
    }),
  );
  expect(begun).toEqual([0, 1]);
  ends[0]?.();
  await expect(works[0]).rejects.toThrow('it failed');
  expect(begun).toEqual([0, 1, 2]);
  ends[1]?.();
  expect(await works[1]).toBe(1);
  expect(begun).toEqual([0, 1, 2, 3]);
  for (const end of ends) end();
  expect(await Promise.all(works.slice(2))).toEqual([2, 3]);
});
