import { expect, test } from 'vitest';
import { createProgressView, type RepositoryProgress } from '../../../scripts/start/demo/progress.ts';

test('without a terminal a repository that moves tells where it is, every tenth or every 10 s', () => {
  const said: string[] = [];
  let nowMs = 0;
  const view = createProgressView(
    (line) => said.push(line.trim()),
    false,
    () => nowMs,
  );
  const at = (seconds: number, stored: number, more: Partial<RepositoryProgress> = {}): void => {
    nowMs = seconds * 1_000;
    view.update([{ name: 'a/b', state: 'running', stored, expected: 1_000, note: undefined, ...more }]);
  };
  at(0, 0, { state: 'pending' });
  at(1, 0, { expected: undefined });
  at(2, 10); // neither a tenth nor 10 s
  at(3, 100); // a tenth
  at(3.5, 300); // too close
  at(4, 310);
  at(8, 320); // not yet
  at(14, 321); // 10 s
  at(30, 321); // nothing new
  at(31, 321, { note: 'rate_limited until 12:00' });
  at(31.5, 1_000, { state: 'completed' });
  expect(said).toEqual([
    'a/b: running, 0 records',
    'a/b: running, 100 of 1000 records',
    'a/b: running, 310 of 1000 records',
    'a/b: running, 321 of 1000 records',
    'a/b: running, 321 of 1000 records (rate_limited until 12:00)',
    'a/b: completed, 1000 of 1000 records',
  ]);
});
