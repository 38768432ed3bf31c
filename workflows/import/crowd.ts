import { setHandler } from '@temporalio/workflow';
import { importWorkflowId } from '../ids.ts';
import type { ImportRepositoryInput, Wanted } from '../inputs.ts';
import { joinRepository, ownerChanged } from '../messages.ts';
import { heirOf, type Steering } from './patience.ts';
import { tell } from './tell.ts';

/** The imports that want the repository which a run brings in: the one it works for, and others. */
export interface Crowd {
  /** An import pauses or resumes; `undefined`: the one that the run works for. */
  pause(importId: string | undefined, paused: Steering['paused']): void;
  /** True: it was the one that the run works for. */
  leave(importId: string): boolean;
  /**
   * Who takes over (one that is not paused, if there is one) as the input of the next run; both are told.
   * `stays`: the import that the run works for still wants the repository. `undefined`: nobody takes over.
   */
  handOver(wanting: (other: Wanted) => boolean, stays: boolean): Promise<ImportRepositoryInput | undefined>;
}

/** `onPause`: the import that the run works for is paused now. */
export function createCrowd(input: ImportRepositoryInput, steering: Steering, onPause: () => void): Crowd {
  const { importId: own, integrationId, repositoryId } = input;
  let left = false;

  function pause(importId: string | undefined, paused: Steering['paused']): void {
    if (importId === undefined || importId === own) {
      steering.paused = paused;
      steering.messages += 1;
      if (paused !== null) onPause();
    }
    for (const other of steering.others) if (other.importId === importId) other.paused = paused;
  }

  function leave(importId: string): boolean {
    steering.others = steering.others.filter((other) => other.importId !== importId);
    left ||= importId === own;
    return importId === own;
  }

  const tellOwner = (importId: string, yours: boolean): Promise<void> =>
    tell(importWorkflowId(importId), (handle) => handle.signal(ownerChanged, { repositoryId, yours }));

  setHandler(
    joinRepository,
    async (wanted) => {
      if (wanted.importId !== own) {
        leave(wanted.importId);
        steering.others.push({ ...wanted });
        return;
      }
      // Its import's run was lost and started again: the run is its own as before.
      pause(own, wanted.paused);
      await tellOwner(own, true);
    },
    { description: 'Another import wants this repository too.' },
  );

  return {
    pause,
    leave,
    async handOver(wanting, stays) {
      const choose = () => heirOf(steering.others.filter(wanting)) ?? steering.others.find(wanting);
      for (let heir = choose(); heir !== undefined; heir = choose()) {
        if (stays) await tellOwner(own, false);
        await tellOwner(heir.importId, true);
        // It may have been cancelled meanwhile.
        if (!steering.others.includes(heir)) continue;
        const { carried: _, ...same } = input;
        const { importId, integrationId: itsIntegration, paused } = heir;
        const others = steering.others.filter((other) => wanting(other) && other !== heir);
        if (stays && !left) others.push({ importId: own, integrationId, paused: steering.paused });
        return { ...same, importId, integrationId: itsIntegration, paused, others };
      }
      return undefined;
    },
  };
}
