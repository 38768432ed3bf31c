import type { UpdateDefinition } from '@temporalio/common';
import { condition, setHandler } from '@temporalio/workflow';
import type { OfIntegration } from '../contracts/tenant.ts';
import type { ImportControl, PauseReason } from '../inputs.ts';
import * as messages from '../messages.ts';
import type { Actor } from '../messages.ts';
import { rows } from '../policies.ts';
import { refused } from '../refused.ts';
import { createTurns } from '../turns.ts';
import type { ImportCommand, ImportState } from '../words.ts';
import { changesNothing, refuseEnded, refuseRunning } from './rules.ts';

/** What people and the integration want of an import: pause, resume, cancel. */
export interface Control {
  /** why the import does not go on, a person's word first; null: it does */
  readonly paused: PauseReason | null;
  readonly cancelRequested: boolean;
  /** The integration said something since this was last asked: “go on” also wakes those who wait after a 401. */
  readonly hasWord: boolean;
  heard(): void;
  /** The row is read: from now on commands are carried out. What the integration said meanwhile is newer. */
  begin(stored?: ImportControl): void;
  /** The import has ended: commands are judged by its last state. `null`: it goes on after all. */
  end(state: ImportState | null): void;
  carried(): ImportControl;
}

const NOTHING_SAID: ImportControl = {
  byPerson: false,
  byIntegration: null,
  wasResumed: false,
  cancelRequested: false,
};

/**
 * Registers the commands. Each is refused by its (synchronous) validator where it makes no sense; what comes while another
 * one is carried out, or before the row is read, is judged in its turn.
 */
export function createControl(ids: OfIntegration & { importId: string }, carried?: ImportControl): Control {
  const state: ImportControl = { ...NOTHING_SAID, ...carried };
  const turns = createTurns();
  let begun = false;
  let ended: ImportState | null = null;
  let word = false;

  function judge(command: ImportCommand): void {
    const refusal = ended === null ? refuseRunning(command, state) : refuseEnded(command, ended);
    if (refusal !== null) throw refused(refusal);
  }

  async function carryOut(command: ImportCommand, actor: Actor): Promise<{ changed: boolean }> {
    await condition(() => begun);
    judge(command);
    if (ended !== null || changesNothing(command, state)) return { changed: false };
    const answer = await rows().controlImport.executeWithOptions({ summary: `${command}: a person's word` }, [
      { ...ids, command, actor },
    ]);
    // Its last page was stored at this very moment.
    if (answer.ended !== null) {
      ended = answer.ended;
      judge(command);
      return { changed: false };
    }
    if (command === 'cancel') state.cancelRequested = true;
    else state.byPerson = command === 'pause';
    state.wasResumed = command === 'resume';
    return { changed: true };
  }

  type Command = UpdateDefinition<{ changed: boolean }, [{ actor: Actor }]>;
  function register(definition: Command, command: ImportCommand, description: string): void {
    setHandler<{ changed: boolean }, [{ actor: Actor }], Command>(
      definition,
      ({ actor }) => turns.take(() => carryOut(command, actor)),
      { validator: () => (turns.isBusy || !begun ? undefined : judge(command)), description },
    );
  }

  register(messages.pauseImport, 'pause', 'A person pauses the import: it waits at its checkpoints.');
  register(messages.resumeImport, 'resume', "Takes a person's pause back.");
  register(messages.cancelImport, 'cancel', 'Ends the import at its checkpoints; what is stored stays.');
  setHandler(
    messages.setPaused,
    ({ paused, reason }) => {
      const because = reason === 'needs_credential' ? reason : 'integration';
      state.byIntegration = paused ? because : null;
      word = true;
    },
    { description: 'The integration was paused or resumed, or its credential died or was replaced.' },
  );

  return {
    get paused() {
      return state.byPerson ? 'person' : state.byIntegration;
    },
    get cancelRequested() {
      return state.cancelRequested;
    },
    get hasWord() {
      return word;
    },
    heard() {
      word = false;
    },
    begin(stored) {
      if (stored !== undefined) {
        const { byIntegration } = word ? state : stored;
        Object.assign(state, stored, { byIntegration });
      }
      begun = true;
    },
    end(last) {
      ended = last;
      if (last !== null) Object.assign(state, { byPerson: false, wasResumed: false });
    },
    carried: () => ({ ...state }),
  };
}
