import { describe, expect, test } from 'vitest';
import { countHooks, describeHooks, type HostHook, isExactlyHooked } from '../../../chaos/countHooks.ts';
import { wantedEvents } from '../../../activities/webhooks/events.ts';
import { hookEvents } from '../../../simulator/rest/hookEvents.ts';

const HOST = { era: 'guide', workspaceOnlyEvents: [] } as const;
const EVENTS = wantedEvents(['repositories', 'pull_requests'], hookEvents('workspace', HOST));
const REPOSITORIES = ['one/app', 'one/lib', 'two/app'];

function hook(place: string, changes: Partial<HostHook> = {}): HostHook {
  const [workspace = '', slug] = place.split('/');
  const repository = slug === undefined ? null : place;
  return { uuid: `{${place}}`, workspace, repository, active: true, events: EVENTS, ...changes };
}

const told = (...hooks: HostHook[]): string => describeHooks(countHooks(hooks, REPOSITORIES));

describe('what chaos says of the hooks at the source', () => {
  test('one for each workspace, or for each repository, is as it shall be', () => {
    expect(told(hook('one'), hook('two'))).toBe('hooks=2 missing=0 doubled=0');
    const mixed = [hook('one/app'), hook('one/lib'), hook('two')];
    expect(told(...mixed)).toBe('hooks=3 missing=0 doubled=0');
    expect(isExactlyHooked(countHooks(mixed, REPOSITORIES))).toBe(true);
  });

  test.each<[string, HostHook[], string]>([
    ['none at all', [], 'hooks=0 missing=3 doubled=0'],
    ['one that is lost', [hook('one')], 'hooks=1 missing=1 doubled=0'],
    [
      'one that is switched off',
      [hook('one'), hook('two', { active: false })],
      'hooks=2 missing=1 doubled=0',
    ],
    [
      'one without an event',
      [hook('one', { events: EVENTS.slice(1) }), hook('two')],
      'hooks=2 missing=2 doubled=0',
    ],
    ['two for a workspace', [hook('one'), hook('one'), hook('two')], 'hooks=3 missing=0 doubled=1'],
    ['two for a repository', [hook('one'), hook('two/app'), hook('two/app')], 'hooks=3 missing=0 doubled=1'],
    [
      'a repository’s beside its workspace’s',
      [hook('one'), hook('one/lib'), hook('two')],
      'hooks=3 missing=0 doubled=1',
    ],
    ['a workspace whose name begins alike', [hook('on'), hook('two')], 'hooks=2 missing=2 doubled=0'],
  ])('%s', (_, hooks, says) => {
    expect(told(...hooks)).toBe(says);
    expect(isExactlyHooked(countHooks(hooks, REPOSITORIES))).toBe(false);
  });

  test('nothing to tell of is no proof', () => {
    expect(isExactlyHooked(countHooks([], []))).toBe(false);
  });
});
