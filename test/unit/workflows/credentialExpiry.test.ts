import { expect, test } from 'vitest';
import { expiryWarning } from '../../../workflows/credentialExpiry.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');

test.each([
  [null, null],
  ['2026-12-26T12:00:01Z', null],
  ['2026-12-26T12:00:00Z', 'in 30 days'],
  ['2026-12-03', 'in 7 days'],
  ['2026-11-27T12:00:00.123456Z', 'in 2 days'],
  ['2026-11-27T12:00:00Z', 'in a day'],
  ['2026-11-26T12:00:01Z', 'in a day'],
  ['2026-11-26T12:00:00Z', 'ended on 2026-11-26'],
])('a credential that ends on %s: %s', (expiresOn, saying) => {
  const warning = expiryWarning(expiresOn, NOW);
  if (saying === null) expect(warning).toBeNull();
  else expect(warning?.message).toContain(saying);
});
