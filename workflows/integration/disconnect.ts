import { setHandler } from '@temporalio/workflow';
import * as messages from '../messages.ts';
import { cancelCheck, startDisconnect } from './children.ts';
import type { RegisterCommand } from './command.ts';
import type { Entity } from './entity.ts';
import { refuseDisconnect } from './rules.ts';

/** Registers the command that removes a created integration, and the word that it is done. */
export function handleDisconnect(entity: Entity, command: RegisterCommand): void {
  const { snapshot } = entity;

  command(
    messages.disconnect,
    'Removes the integration with everything that is its own.',
    ({ confirm }) => refuseDisconnect(snapshot, confirm),
    async ({ actor }) => {
      if (snapshot.state !== 'disconnecting') {
        entity.refusals = [];
        entity.probeAtMs = null;
        const change = { state: 'disconnecting', reason: null } as const;
        await entity.save(change, { action: 'integration_removal_requested', actor });
      }
      // Those that wait begin no more; the one that runs ends, and its credential is not adopted.
      entity.checks.splice(1);
      for (const { checkId } of entity.checks) await cancelCheck(checkId);
      // Also where it runs already, or was ended by an operator: the same command twice is one removal that goes on.
      await startDisconnect(entity, actor);
      return entity.answer();
    },
  );

  setHandler(messages.disconnected, () => entity.exclusive(() => entity.load()), {
    description: 'The row of the integration is gone.',
  });
}
