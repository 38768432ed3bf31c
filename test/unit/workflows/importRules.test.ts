import { describe, expect, test } from 'vitest';
import { importLinks } from '../../../api/schemas/importLinks.ts';
import { changesNothing, refuseEnded, refuseRunning } from '../../../workflows/import/rules.ts';
import type { ImportControl } from '../../../workflows/inputs.ts';
import { type ImportCommand, IMPORT_STATES, isEndedImport } from '../../../workflows/words.ts';

const COMMANDS: ImportCommand[] = ['pause', 'resume', 'cancel'];
const control = (change: Partial<ImportControl> = {}): ImportControl => ({
  byPerson: false,
  byIntegration: null,
  wasResumed: false,
  cancelRequested: false,
  ...change,
});

describe('what a person may tell an import', () => {
  // In the order of the commands; a dot: allowed, =: allowed and so already.
  test.each([
    ['runs', control(), '. import_not_paused .'],
    ['was resumed', control({ wasResumed: true }), '. = .'],
    ['is paused by a person', control({ byPerson: true }), '= . .'],
    ['waits for its integration', control({ byIntegration: 'integration' }), '. integration_paused .'],
    ['waits for a credential', control({ byIntegration: 'needs_credential' }), '. needs_credential .'],
    ['is paused by both', control({ byPerson: true, byIntegration: 'integration' }), '= . .'],
    ['is being cancelled', control({ cancelRequested: true }), 'import_cancelling import_cancelling ='],
  ])('that %s', (_, state, expected) => {
    const found = COMMANDS.map((command) => {
      const refusal = refuseRunning(command, state);
      if (refusal !== null) return refusal.code;
      return changesNothing(command, state) ? '=' : '.';
    });
    // An import that nobody paused needs no resume: that nothing changes shows only after a resume.
    expect(found.join(' ')).toBe(expected);
  });

  test('that has ended: nothing, but to cancel what is cancelled', () => {
    for (const state of IMPORT_STATES.filter(isEndedImport)) {
      const found = COMMANDS.map((command) => refuseEnded(command, state)?.code ?? '.').join(' ');
      expect(found, state).toBe(
        state === 'cancelled' ? 'import_ended import_ended .' : 'import_ended import_ended import_ended',
      );
    }
  });

  test('is named by the links', () => {
    const commands = (row: Partial<Parameters<typeof importLinks>[0]>) =>
      importLinks({
        id: 'i',
        state: 'running',
        failed: 0,
        pausedByPerson: false,
        cancelRequested: false,
        ...row,
      })
        .flatMap(({ action, method, href }) => (method === 'POST' ? [`${action} ${href}`] : []))
        .join(', ');
    expect(commands({})).toBe('pause /v1/imports/i/pause, cancel /v1/imports/i/cancel');
    expect(commands({ state: 'paused', pausedByPerson: true })).toBe(
      'resume /v1/imports/i/resume, cancel /v1/imports/i/cancel',
    );
    expect(commands({ cancelRequested: true, failed: 1 })).toBe('');
    expect(commands({ failed: 1 })).toContain('retry_failed /v1/imports/i/retry-failed');
    expect(commands({ state: 'completed_with_failures', failed: 1 })).toBe(
      'retry_failed /v1/imports/i/retry-failed',
    );
    for (const state of IMPORT_STATES.filter(isEndedImport)) expect(commands({ state }), state).toBe('');
  });
});
