import { expect, test } from 'vitest';
import type { IntegrationDetail } from '../../../scripts/start/demo/publicApi.ts';
import { waitForDiscovery } from '../../../scripts/start/demo/waitForDiscovery.ts';

type Discovery = IntegrationDetail['discovery'];
const discovered = { workspaces: 1, projects: 2, repositories: 3 };
const error = { code: 'no_access', message: 'No access.', remedy: 'Give it.' };
const state = (name: string, last_at: string | null): Discovery => ({
  state: name,
  last_at,
  error: name === 'failed' ? error : null,
});

/** An api that tells one state after the other; `left` says how many were not asked for. */
function tells(...states: Discovery[]) {
  return {
    left: states,
    readIntegration: async (id: string): Promise<IntegrationDetail | undefined> => {
      const discovery = states.shift();
      if (discovery === undefined) return undefined;
      return { id, state: 'active', name: 'a', services: [], discovery, discovered };
    },
  };
}

test('the end of the last discovery is not taken for this one', async () => {
  const before = state('done', 'monday');
  const api = tells(before, before, state('running', 'monday'), state('done', 'tuesday'));
  expect(await waitForDiscovery(api, 'one', before)).toEqual(discovered);
  expect(api.left).toEqual([]);
});

test('the first one has nothing before it', async () => {
  const api = tells(state('never', null), state('done', 'monday'));
  expect(await waitForDiscovery(api, 'one', undefined)).toEqual(discovered);
});

test('an old failure is waited out, a new one is told', async () => {
  const before = state('failed', 'monday');
  const mended = tells(before, state('running', 'monday'), state('done', 'tuesday'));
  expect(await waitForDiscovery(mended, 'one', before)).toEqual(discovered);
  const again = tells(before, state('running', 'monday'), state('failed', 'monday'));
  await expect(waitForDiscovery(again, 'one', before)).rejects.toThrow('No access. Give it.');
  const fresh = tells(state('failed', 'monday'));
  await expect(waitForDiscovery(fresh, 'one', state('done', 'monday'))).rejects.toThrow('No access.');
});
