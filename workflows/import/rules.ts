import type { ImportControl } from '../inputs.ts';
import type { Refusal } from '../refused.ts';
import type { ImportCommand, ImportState } from '../words.ts';

const cancelling: Refusal = {
  code: 'import_cancelling',
  message: 'The import is being cancelled.',
  fix: 'Start a new import once it is cancelled: it goes on from the checkpoints.',
};

/** Why a person's command makes no sense to an import that has ended in this state; null: it is so already. */
export function refuseEnded(command: ImportCommand, state: ImportState): Refusal | null {
  if (state === 'cancelled') {
    if (command === 'cancel') return null;
    return {
      code: 'import_ended',
      message: 'The import was cancelled.',
      fix: 'Start a new import: it goes on from the checkpoints.',
    };
  }
  return {
    code: 'import_ended',
    message: 'The import has ended.',
    fix: 'Read what became of it; start a new import to bring in what changed since.',
  };
}

const nothingFailed: Refusal = {
  code: 'nothing_failed',
  message: 'No repository of those asked for has failed.',
  fix: 'Read …/repositories?state=failed; what has completed is brought up to date by a new import.',
};

/** Why failed repositories cannot be tried again; null: they are, or are already. */
export function refuseRetry(
  outcome: 'retried' | 'already' | 'nothing_failed' | 'cancelling' | 'cancelled',
): Refusal | null {
  if (outcome === 'cancelled') return refuseEnded('resume', 'cancelled');
  if (outcome === 'cancelling') return cancelling;
  return outcome === 'nothing_failed' ? nothingFailed : null;
}

const notPaused: Refusal = {
  code: 'import_not_paused',
  message: 'The import is not paused.',
  fix: 'Nothing to do: it goes on by itself. If it waits, `waiting` says why and until when.',
};
const integrationPaused: Refusal = {
  code: 'integration_paused',
  message: 'Not the import is paused, but its integration.',
  fix: 'Resume the integration: its imports then go on.',
};
const needsCredential: Refusal = {
  code: 'needs_credential',
  message: 'The import waits for a new credential; nobody paused it.',
  fix: 'Submit a new credential to the integration: its imports then go on.',
};

/** Why a command makes no sense to an import that has not ended. What is so already is not refused. */
export function refuseRunning(command: ImportCommand, control: ImportControl): Refusal | null {
  if (command === 'cancel') return null;
  if (control.cancelRequested) return cancelling;
  if (command === 'pause' || control.byPerson || control.wasResumed) return null;
  if (control.byIntegration === 'integration') return integrationPaused;
  return control.byIntegration === 'needs_credential' ? needsCredential : notPaused;
}

/** Whether it is so already: the same command twice changes nothing. */
export function changesNothing(command: ImportCommand, control: ImportControl): boolean {
  if (command === 'cancel') return control.cancelRequested;
  return control.byPerson === (command === 'pause');
}
