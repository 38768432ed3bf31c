import { describe, expect, test } from 'vitest';
import { type HealthSigns, integrationHealth, NOT_HEALTHY } from '../../../workflows/health.ts';
import { BY_URGENCY, INTEGRATION_STATES, STREAM_STATES } from '../../../workflows/words.ts';

const fine: HealthSigns = {
  state: 'active',
  discoveryState: 'done',
  limited: false,
  importing: false,
  failing: false,
  allFailing: false,
};

describe('the health of an integration', () => {
  test.each([
    ['healthy', {}],
    ['processing', { importing: true }],
    ['processing', { discoveryState: 'running' }],
    ['rate_limited', { importing: true, limited: true, failing: true }],
    ['degraded', { failing: true }],
    ['failed', { failing: true, allFailing: true }],
    ['failed', { discoveryState: 'failed' }],
    ['failed', { state: 'needs_credential', importing: true }],
    ['paused', { state: 'paused', limited: true, failing: true }],
  ] as const)('%s: %j', (health, signs) => {
    expect(integrationHealth({ ...fine, ...signs })).toBe(health);
  });

  test('a draft has none; every other state has one', () => {
    const without = INTEGRATION_STATES.filter((state) => integrationHealth({ ...fine, state }) === null);
    expect(without).toEqual(['awaiting_credential', 'checking', 'connected']);
  });
});

test('every state of a stream has its place among the others', () => {
  expect([...BY_URGENCY].toSorted()).toEqual([...STREAM_STATES].toSorted());
  expect(NOT_HEALTHY).not.toContain('healthy');
});
