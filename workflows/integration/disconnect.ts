import { setHandler } from '@temporalio/workflow';
import * as messages from '../messages.ts';
import { type Refusal, refused } from '../refused.ts';
import { cancelCheck, startDisconnect } from './children.ts';
import { type Entity, integrationGone } from './entity.ts';
import { refuseDisconnect } from './rules.ts';

/** Registers the command that removes a created integration, and the word that it is done. */
export function handleDisconnect(entity: Entity): void {
  const { snapshot } = entity;

  function judge(confirm: string): void {
    if (entity.gone) throw integrationGone();
    const refusal: Refusal | null = refuseDisconnect(snapshot, confirm);
    if (refusal !== null) throw refused(refusal);
  }

  setHandler(
    messages.disconnect,
    ({ confirm, actor }) =>
      entity.exclusive(async () => {
        judge(confirm);
        if (snapshot.state !== 'disconnecting') {
          entity.refusals = [];
          entity.probeAtMs = null;
          await entity.save(
            { state: 'disconnecting', reason: null },
            { action: 'integration_removal_requested', actor },
          );
        }
        // Those that wait begin no more; the one that runs ends, and its credential is not adopted.
        entity.checks.splice(1);
        for (const { checkId } of entity.checks) await cancelCheck(checkId);
        // Also where it runs already, or was ended by an operator: the same command twice is one removal that goes on.
        await startDisconnect(entity, actor);
        return entity.answer();
      }),
    {
      validator: ({ confirm }) => (entity.isBusy ? undefined : judge(confirm)),
      description: 'Removes the integration with everything that is its own.',
    },
  );

  setHandler(messages.disconnected, () => entity.exclusive(() => entity.load()), {
    description: 'The row of the integration is gone.',
  });
}
