import { describe, expect, test } from 'vitest';
import { isConfirmed, withRefusal } from '../../../workflows/integration/refusals.ts';
import {
  refuseByState,
  refuseCreate,
  refuseName,
  refuseServices,
  type Command,
} from '../../../workflows/integration/rules.ts';
import type { IntegrationSnapshot } from '../../../workflows/messages.ts';
import { INTEGRATION_TIMING } from '../../../workflows/timing.ts';
import { INTEGRATION_STATES } from '../../../workflows/words.ts';

const snapshot: IntegrationSnapshot = {
  organizationId: 'o',
  integrationId: 'i',
  state: 'connected',
  version: 1,
  name: null,
  services: [],
  allowedServices: ['repositories', 'pull_requests'],
  credentialKind: 'api_token',
  draftExpiresAt: null,
};

describe('what a state forbids', () => {
  // One line a state, in the order of the commands; a dot: allowed.
  const COMMANDS: Command[] = [
    'submitCredential',
    'create',
    'rename',
    'changeServices',
    'discover',
    'startImport',
    'pause',
    'resume',
    'deleteDraft',
  ];
  const TABLE: Record<string, string> = {
    awaiting_credential:
      '. needs_connection needs_create needs_create needs_create import_needs_create needs_create needs_create .',
    checking:
      '. needs_connection needs_create needs_create needs_create import_needs_create needs_create needs_create .',
    connected: '. . needs_create needs_create needs_create import_needs_create needs_create needs_create .',
    active: '. . . . . . . . already_created',
    paused: '. . . . paused paused . . already_created',
    needs_credential:
      '. . . . needs_credential needs_credential needs_credential needs_credential already_created',
    disconnecting: Array.from({ length: 9 }, () => 'disconnecting').join(' '),
  };

  test.each(INTEGRATION_STATES)('%s', (state) => {
    const row = COMMANDS.map((command) => refuseByState(command, state)?.code ?? '.').join(' ');
    expect(row).toBe(TABLE[state]);
  });

  test('every refusal says what to do', () => {
    for (const state of INTEGRATION_STATES) {
      for (const command of COMMANDS) {
        const refusal = refuseByState(command, state);
        if (refusal === null) continue;
        expect(refusal.message).toMatch(/\.$/);
        expect(refusal.fix.length).toBeGreaterThan(10);
      }
    }
  });
});

describe('create', () => {
  test('takes all that the check allows when no service is named', () => {
    expect(refuseCreate(snapshot, { name: 'Acme', services: null })).toBeNull();
  });

  test('refuses a service without its scopes, an empty choice, and names of no or too many characters', () => {
    const refusalOf = (name: string, services: IntegrationSnapshot['services'] | null) =>
      refuseCreate(snapshot, { name, services })?.code;
    expect(refusalOf('Acme', ['tickets'])).toBe('service_not_allowed');
    expect(refusalOf('Acme', [])).toBe('nothing_chosen');
    expect(refusalOf(' ', null)).toBe('name_invalid');
    expect(refusalOf('x'.repeat(101), null)).toBe('name_invalid');
    expect(refuseName('😀'.repeat(100))).toBeNull();
  });

  test('of what is created already the same way answers again; another way is refused', () => {
    const created: IntegrationSnapshot = {
      ...snapshot,
      state: 'active',
      name: 'Acme',
      services: ['pull_requests', 'repositories'],
    };
    expect(refuseCreate(created, { name: 'Acme', services: ['repositories', 'pull_requests'] })).toBeNull();
    expect(refuseCreate(created, { name: 'Acme', services: null })).toBeNull();
    expect(refuseCreate(created, { name: 'Acme', services: ['repositories'] })?.code).toBe('already_created');
    expect(refuseCreate(created, { name: 'Beta', services: null })?.code).toBe('already_created');
  });

  test('is possible from no state in which a check has not passed', () => {
    for (const state of INTEGRATION_STATES) {
      const refusal = refuseCreate({ ...snapshot, state }, { name: 'A', services: null });
      expect(refusal === null, state).toBe(state === 'connected');
    }
  });
});

describe('services', () => {
  const active = {
    ...snapshot,
    state: 'active',
    services: ['tickets'],
  } as const satisfies IntegrationSnapshot;

  test('one that is on may stay whatever the credential allows; one more must be allowed; none at all is no choice', () => {
    expect(refuseServices(active, ['tickets'])).toBeNull();
    expect(refuseServices(active, ['tickets', 'repositories'])).toBeNull();
    expect(refuseServices({ ...active, services: [] }, ['tickets'])?.code).toBe('service_not_allowed');
    expect(refuseServices(active, [])).toMatchObject({
      code: 'nothing_chosen',
      fix: 'Choose at least one of: tickets, repositories, pull_requests.',
    });
    expect(refuseServices(snapshot, ['repositories'])?.code).toBe('needs_create');
  });
});

describe('refusals of the credential', () => {
  const at = (minutes: number): string => new Date(Date.UTC(2026, 10, 1, 12, minutes)).toISOString();
  const after = (...minutes: number[]): string[] => {
    let refusals: string[] = [];
    for (const minute of minutes) refusals = withRefusal(refusals, at(minute), INTEGRATION_TIMING);
    return refusals;
  };

  test('three over twenty minutes are sure; a brownout of fifteen, or sixteen runs at once, is not', () => {
    expect(isConfirmed(after(0, 10, 20), INTEGRATION_TIMING)).toBe(true);
    expect(isConfirmed(after(0, 5, 10, 15), INTEGRATION_TIMING)).toBe(false);
    expect(isConfirmed(after(0, 0, 0, 0, 0), INTEGRATION_TIMING)).toBe(false);
    expect(isConfirmed(after(0, 25), INTEGRATION_TIMING)).toBe(false);
    expect(isConfirmed([], INTEGRATION_TIMING)).toBe(false);
  });

  test('what is carried stays small, and keeps the first', () => {
    const many = after(...Array.from({ length: 100 }, (_, index) => index * 10));
    expect(many.length).toBeLessThanOrEqual(10);
    expect(many[0]).toBe(at(0));
  });
});
