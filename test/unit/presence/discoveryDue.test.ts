import { expect, test } from 'vitest';
import { isDiscoveryDue } from '../../../activities/presence/discoveryDue.ts';

const HOUR = 60 * 60_000;
const plan = { integrationId: 'one', intervalMs: 6 * HOUR, goneAfterMs: HOUR };

test.each([
  ['there was none', { sinceMs: null }, true],
  ['a moment ago', { sinceMs: 1_000 }, false],
  ['five hours ago', { sinceMs: 5 * HOUR }, false],
  ['six hours ago', { sinceMs: 6 * HOUR }, true],
  ['one failed a moment ago', { sinceMs: 1_000, failed: true }, false],
  ['one failed an hour ago', { sinceMs: HOUR, failed: true }, true],
  ['something is missing since less than an hour', { sinceMs: 2 * HOUR, missedForMs: HOUR - 1 }, false],
  ['something is missing since an hour', { sinceMs: 2 * HOUR, missedForMs: HOUR }, true],
])('%s', (_, last, due) => {
  expect(isDiscoveryDue(plan, { failed: false, missedForMs: null, ...last })).toBe(due);
});

test('none comes by itself where the interval is 0', () => {
  const none = { ...plan, intervalMs: 0 };
  expect(isDiscoveryDue(none, { sinceMs: null, failed: true, missedForMs: HOUR })).toBe(false);
});

test('many that began together are spread over a tenth of the interval', () => {
  const dueAt = (minutes: number): number =>
    Array.from({ length: 500 }, (_, n) =>
      isDiscoveryDue(
        { ...plan, integrationId: `integration-${String(n)}` },
        { sinceMs: minutes * 60_000, failed: false, missedForMs: null },
      ),
    ).filter((due) => due).length;
  expect(dueAt(323)).toBe(0);
  for (const share of [0.25, 0.5, 0.75]) {
    expect(dueAt(324 + 36 * share) / 500).toBeGreaterThan(share - 0.1);
    expect(dueAt(324 + 36 * share) / 500).toBeLessThan(share + 0.1);
  }
  expect(dueAt(360)).toBe(500);
});
