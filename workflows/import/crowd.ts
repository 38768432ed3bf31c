import { setHandler } from '@temporalio/workflow';
import { importWorkflowId } from '../ids.ts';
import type { ImportRepositoryInput } from '../inputs.ts';
import { joinRepository, ownerChanged } from '../messages.ts';
import { heirOf, type Steering } from './patience.ts';
import { tell } from './tell.ts';

/** The imports that want the repository which a run brings in: the one it works for, and others. */
export interface Crowd {
  /** An import pauses or resumes; `undefined`: the one that the run works for. */
  pause(importId: string | undefined, paused: Steering['paused']): void;
  /** True: it was the one that the run works for. */
  leave(importId: string): boolean;
  /** The outcome is about to be written: from now on whoever joins, also the import that the run works for, joins anew. */
  ending(): void;
  /** The outcome is not written: who joined since `ending` wants what is still to be read. */
  goesOn(): Promise<void>;
  /**
   * Lets go of those who were told the outcome. Who joined since `ending` may have joined before it was written or
   * behind it, as an import that was told to try once more: `wants` says by its row.
   */
  dismiss(told: ReadonlySet<string>, wants: (importId: string) => Promise<boolean>): Promise<void>;
  /**
   * Who takes over (one that is not paused, if there is one) as the input of the next run; both are told.
   * `stays`: the import that the run works for still wants the repository. `undefined`: nobody takes over.
   */
  handOver(stays: boolean): Promise<ImportRepositoryInput | undefined>;
}

/** `onPause`: the import that the run works for is paused now. */
export function createCrowd(input: ImportRepositoryInput, steering: Steering, onPause: () => void): Crowd {
  const { importId: own, integrationId, repositoryId } = input;
  let left = false;
  // joined since the outcome is being written; null before
  let late: Set<string> | null = null;

  function pause(importId: string | undefined, paused: Steering['paused']): void {
    if (importId === undefined || importId === own) {
      steering.paused = paused;
      steering.messages += 1;
      if (paused !== null) onPause();
    }
    for (const other of steering.others) if (other.importId === importId) other.paused = paused;
  }

  function forget(importId: string): void {
    steering.others = steering.others.filter((other) => other.importId !== importId);
  }

  function leave(importId: string): boolean {
    forget(importId);
    left ||= importId === own;
    return importId === own;
  }

  const tellOwner = (importId: string, yours: boolean): Promise<void> =>
    tell(importWorkflowId(importId), (handle) => handle.signal(ownerChanged, { repositoryId, yours }));

  setHandler(
    joinRepository,
    async (wanted) => {
      // Its import's run was lost and started again, or continued as new: it is no child of the run that is there now.
      if (wanted.importId === own) steering.quiet = false;
      if (wanted.importId !== own || late !== null) {
        forget(wanted.importId);
        steering.others.push({ ...wanted });
        late?.add(wanted.importId);
        return;
      }
      pause(own, wanted.paused);
      await tellOwner(own, true);
    },
    { description: 'Another import wants this repository too.' },
  );

  return {
    pause,
    leave,
    ending: () => void (late = new Set()),

    async goesOn() {
      late = null;
      const again = steering.others.find(({ importId }) => importId === own);
      if (again === undefined) return;
      forget(own);
      pause(own, again.paused);
      await tellOwner(own, true);
    },

    async dismiss(told, wants) {
      steering.others = steering.others.filter(({ importId }) => !told.has(importId) || late?.has(importId));
      for (const importId of late ?? []) {
        late?.delete(importId);
        if (!(await wants(importId))) forget(importId);
      }
    },

    async handOver(stays) {
      const choose = () => heirOf(steering.others) ?? steering.others[0];
      for (let heir = choose(); heir !== undefined; heir = choose()) {
        if (stays) await tellOwner(own, false);
        await tellOwner(heir.importId, true);
        // It may have been cancelled meanwhile.
        if (!steering.others.includes(heir)) continue;
        const { carried: _, quiet: _heard, ...same } = input;
        const { importId, integrationId: itsIntegration, paused } = heir;
        const others = steering.others.filter((other) => other !== heir);
        if (stays && !left) others.push({ importId: own, integrationId, paused: steering.paused });
        return { ...same, importId, integrationId: itsIntegration, paused, others };
      }
      return undefined;
    },
  };
}
