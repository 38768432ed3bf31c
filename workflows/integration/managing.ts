import { INTEGRATION_PAUSED } from '../findings.ts';
import * as messages from '../messages.ts';
import type { RegisterCommand } from './command.ts';
import type { Entity } from './entity.ts';
import { refuseByState, refuseName } from './rules.ts';

/** Registers what people change of a created integration: its name, and whether it goes on. */
export function handleManaging(entity: Entity, command: RegisterCommand): void {
  const { snapshot } = entity;

  command(
    messages.rename,
    'Gives the integration another name, unique in its organization.',
    ({ name }) => refuseByState('rename', snapshot.state) ?? refuseName(name),
    async ({ name, actor }) => {
      if (snapshot.name !== name) await entity.save({ name }, { action: 'integration_renamed', actor });
      return { ...entity.answer(), name };
    },
  );

  command(
    messages.pause,
    'Stops fetching; what runs waits at its checkpoints.',
    () => refuseByState('pause', snapshot.state),
    async ({ actor }) => {
      if (snapshot.state === 'active') {
        entity.refusals = [];
        entity.probeAtMs = null;
        const change = { state: 'paused', reason: INTEGRATION_PAUSED } as const;
        await entity.save(change, { action: 'integration_paused', actor });
        await entity.tellRuns('integration');
      }
      return entity.answer();
    },
  );

  command(
    messages.resume,
    'Goes on after a pause, from the checkpoints.',
    () => refuseByState('resume', snapshot.state),
    async ({ actor }) => {
      if (snapshot.state === 'paused') {
        await entity.save({ state: 'active', reason: null }, { action: 'integration_resumed', actor });
        await entity.tellRuns(null);
      }
      return entity.answer();
    },
  );
}
