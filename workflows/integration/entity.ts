import { type ApplicationFailure, upsertSearchAttributes } from '@temporalio/workflow';
import type { CatchUp, IntegrationActivities } from '../contracts/integration.ts';
import { applicationFailure } from '../failures.ts';
import type {
  Actor,
  CommandAnswer,
  FollowUp,
  IntegrationInput,
  IntegrationSnapshot,
  IntegrationTiming,
  PendingCheck,
} from '../messages.ts';
import { rows } from '../policies.ts';
import { STAGE } from '../searchAttributes.ts';
import { INTEGRATION_TIMING } from '../timing.ts';
import type { PauseReason } from '../inputs.ts';
import { refused } from '../refused.ts';
import { createTurns } from '../turns.ts';
import { tellRuns } from './runs.ts';

type Change = Parameters<IntegrationActivities['saveIntegration']>[0]['change'];

/** The state of one run of `integration`, and the few ways in which it may change. */
export interface Entity {
  readonly snapshot: IntegrationSnapshot;
  readonly timing: IntegrationTiming;
  readonly importIds: Set<string>;
  readonly checks: PendingCheck[];
  refusals: string[];
  /** when the refused credential is tried again; null: nothing to confirm */
  probeAtMs: number | null;
  /** what is to be tried again once it is active */
  followUp: FollowUp;
  /** whether poll rounds were told to come; null: nothing was told yet */
  polled: boolean | null;
  /** a discovery ended, or the rules are others: once it is active, what the auto-import rules take is imported */
  autoImportDue: boolean;
  /** how often this run saw it leave `active` */
  rests: number;
  /** the row is removed: the run ends, and no command finds anything any more */
  gone: boolean;
  /** Work is under way or waits for its turn: the row may already say what this run does not know yet. */
  readonly isBusy: boolean;
  /** One at a time, in the order of asking; waits until the row was read at the start of the run. */
  exclusive<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Writes the change into the row, then here; with it, where one is given, the import by which services catch up.
   * `catchesUp`: it is stored. Throws ApplicationFailure `name_taken`.
   */
  save(
    change: Change,
    audit?: { action: string; actor: Actor; details?: Record<string, unknown> },
    catchUp?: CatchUp,
  ): Promise<{ catchesUp: boolean }>;
  /** Reads the row again; `gone` when there is none. */
  load(): Promise<void>;
  answer(): CommandAnswer;
  /** Tells imports, syncs and a discovery under way to wait at their checkpoints, or (`null`) to go on. */
  tellRuns(pause: PauseReason | null): Promise<void>;
}

export const integrationGone = (): ApplicationFailure =>
  refused({
    code: 'integration_gone',
    message: 'The integration does not exist any more.',
    fix: 'Connect again with a new integration.',
  });

export function createEntity(input: IntegrationInput): Entity {
  const snapshot = { ...input.snapshot };
  const { organizationId, integrationId } = snapshot;
  const { loadIntegration, saveIntegration } = rows();
  const turns = createTurns();

  const entity: Entity = {
    snapshot,
    timing: { ...INTEGRATION_TIMING, ...input.timing },
    importIds: new Set(input.carried?.runningImportIds),
    checks: [...(input.carried?.checks ?? [])],
    refusals: input.carried?.refusals ?? [],
    probeAtMs: input.carried?.probeAtMs ?? null,
    followUp: input.carried?.followUp ?? { parked: false, discovery: false },
    polled: input.carried?.polled ?? null,
    autoImportDue: input.carried?.autoImportDue ?? false,
    rests: 0,
    gone: false,

    get isBusy() {
      return turns.isBusy;
    },

    exclusive: (work) => turns.take(work),

    async load() {
      const row = await loadIntegration.executeWithOptions({ summary: 'read the integration again' }, [
        { organizationId, integrationId },
      ]);
      if (row === null) {
        entity.gone = true;
        return;
      }
      const { accountName: _, runningImportIds, ...known } = row;
      Object.assign(snapshot, known);
      entity.importIds.clear();
      for (const importId of runningImportIds) entity.importIds.add(importId);
    },

    async save(change, audit, catchUp) {
      const before = snapshot.state;
      const write = () =>
        saveIntegration.executeWithOptions({ summary: saying(change, audit?.action) }, [
          {
            organizationId,
            integrationId,
            expectedVersion: snapshot.version,
            change,
            ...(audit === undefined ? {} : { audit }),
            ...(catchUp === undefined ? {} : { catchUp }),
          },
        ]);
      const { version, catchesUp = false } = await write().catch(async (error: unknown) => {
        const failure = applicationFailure(error);
        if (failure?.type !== 'version_conflict') throw failure ?? error;
        // Somebody else wrote the row (an operator by hand): go on from what it says now, if it allows that.
        await entity.load();
        if (entity.gone) throw integrationGone();
        if (snapshot.state !== before) throw changedMeanwhile();
        return write();
      });
      const { reason: _, ...known } = change;
      Object.assign(snapshot, known, { version });
      if (before === 'active' && snapshot.state !== 'active') entity.rests += 1;
      if (snapshot.state !== before) upsertSearchAttributes([{ key: STAGE, value: snapshot.state }]);
      return { catchesUp };
    },

    answer: () => ({ state: snapshot.state, version: snapshot.version }),

    tellRuns: (pause) => tellRuns(entity, pause),
  };
  return entity;
}

const saying = (change: Change, action: string | undefined): string =>
  change.state === undefined ? `store ${action ?? 'a change'}` : `store state ${change.state}`;

const changedMeanwhile = (): ApplicationFailure =>
  refused({
    code: 'changed_meanwhile',
    message: 'The integration was changed by somebody else at the same moment.',
    fix: 'Read it again, then repeat the command if it is still wanted.',
  });
