import { log, patched, setHandler, uuid4 } from '@temporalio/workflow';
import * as messages from '../messages.ts';
import { manyRows } from '../policies.ts';
import { startImportRun } from './children.ts';
import type { RegisterCommand } from './command.ts';
import type { Entity } from './entity.ts';
import { refuseByState } from './rules.ts';

/** From then on a pause that comes while the rules are applied leaves them due, also where they took nothing by then. */
const KEEPS_ITS_WORD = 'auto-import-stays-due-in-a-pause';

/** Registers what has the rules applied: a person changed them, or a discovery has ended. */
export function handleAutoImport(entity: Entity, command: RegisterCommand): void {
  command(
    messages.applyAutoImport,
    'Imports what the auto-import rules take.',
    () => refuseByState('changeAutoImport', entity.snapshot.state),
    async () => {
      entity.autoImportDue = true;
      return entity.answer();
    },
  );

  setHandler(messages.discovered, () => void (entity.autoImportDue = true), {
    description: 'A discovery has ended, or found a repository.',
  });
}

/** While it is paused or needs a credential the rules wait: it catches up when it is active again. */
export const isAutoImportDue = ({ autoImportDue, snapshot }: Entity): boolean =>
  autoImportDue && snapshot.state === 'active';

/** Imports what the rules take, by one import; whatever its rows say is started, so that none is left without its run. */
export async function startAutoImport(entity: Entity): Promise<void> {
  entity.autoImportDue = false;
  const { organizationId, integrationId } = entity.snapshot;
  const { rests } = entity;
  // Not in its turn: thousands of repositories may be judged, and commands go on meanwhile.
  const importIds = await storeAutoImport({ organizationId, integrationId, importId: uuid4() });
  if (importIds.length === 0 && !patched(KEEPS_ITS_WORD)) return;
  await entity.exclusive(async () => {
    if (entity.gone) return;
    // Where nothing was taken, it may have rested when they were judged, and be active again by now.
    const mayHaveRested = importIds.length === 0 && entity.rests !== rests;
    if (entity.snapshot.state !== 'active' || mayHaveRested) {
      entity.autoImportDue = true;
      return;
    }
    for (const importId of importIds) {
      await startImportRun(entity, importId);
      entity.importIds.add(importId);
    }
  });
}

async function storeAutoImport(input: {
  organizationId: string;
  integrationId: string;
  importId: string;
}): Promise<string[]> {
  try {
    const { importIds } = await manyRows().storeAutoImport.executeWithOptions(
      { summary: 'import what the auto-import rules take' },
      [input],
    );
    return importIds;
  } catch (error) {
    // Nothing that a command should fail for: the next discovery has them applied again.
    log.warn('The auto-import rules could not be applied', { error });
    return [];
  }
}
