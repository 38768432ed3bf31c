import { patched, uuid4 } from '@temporalio/workflow';
import type { CatchUp } from '../contracts/integration.ts';
import { INTEGRATION_PAUSED } from '../findings.ts';
import * as messages from '../messages.ts';
import type { Actor } from '../messages.ts';
import { rows } from '../policies.ts';
import { SERVICES, type Service } from '../words.ts';
import { startImportRun } from './children.ts';
import type { RegisterCommand } from './command.ts';
import type { Entity } from './entity.ts';
import { followUpLate } from './followUp.ts';
import { restFromProbes } from './planProbe.ts';
import { refuseByState, refuseName, refuseServices } from './rules.ts';
import { tellServicesChanged, wakeWebhooks } from './runs.ts';

/** Registers what people change of a created integration: its name, its services, whether it goes on, and what of it is gone. */
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
    messages.changeServices,
    'Switches services on and off.',
    ({ services }) => refuseServices(snapshot, services),
    async ({ services, actor }) => {
      const before = snapshot.services;
      const wanted = SERVICES.filter((service) => services.includes(service));
      const on = wanted.filter((service) => !before.includes(service));
      const off = before.filter((service) => !wanted.includes(service));
      const change = {
        services: wanted,
        audit: { action: 'services_changed', actor, details: { on, off } },
      };
      if (on.length > 0) await switchOn(entity, on, change);
      else if (off.length > 0) await saveServices(entity, change);
      return { ...entity.answer(), services: wanted };
    },
  );

  command(
    messages.settleVanished,
    'Does as a person decided about repositories that vanished together.',
    () => refuseByState('settleVanished', snapshot.state),
    async ({ decision, actor }) => {
      const { organizationId, integrationId } = snapshot;
      await rows().settleVanished.executeWithOptions(
        { summary: decision === 'gone' ? 'mark what vanished as gone' : 'leave what vanished as it is' },
        [{ organizationId, integrationId, decision, actor }],
      );
      return entity.answer();
    },
  );

  command(
    messages.pause,
    'Stops fetching; what runs waits at its checkpoints.',
    () => refuseByState('pause', snapshot.state),
    async ({ actor }) => {
      if (snapshot.state === 'active') {
        restFromProbes(entity);
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
        await followUpLate(entity);
      }
      return entity.answer();
    },
  );
}

interface ServicesChange {
  services: Service[];
  audit: { action: string; actor: Actor; details: Record<string, unknown> };
}

async function saveServices(
  entity: Entity,
  { services, audit }: ServicesChange,
  catchUp?: CatchUp,
): Promise<{ catchesUp: boolean }> {
  const saved = await entity.save({ services }, audit, catchUp);
  await tellServicesChanged(entity);
  return saved;
}

/** Not so in runs that stored what catches up behind the services, by an activity of its own. */
const STORED_TOGETHER = 'catch-up-stored-with-its-services';

/**
 * Switches services on and brings in what was missed of them: an import of what changed since their watermarks, over the
 * repositories that are imported already. It waits like any other while the integration is paused.
 */
async function switchOn(entity: Entity, on: Service[], change: ServicesChange): Promise<void> {
  const anImport = (): CatchUp => ({ importId: uuid4(), services: on, actor: change.audit.actor });
  const together = patched(STORED_TOGETHER) ? anImport() : undefined;
  const { catchesUp } = await saveServices(entity, change, together);
  // What changes behind the catch-up is delivered where its events are subscribed to by then.
  await wakeWebhooks(entity);
  const catchUp = together ?? anImport();
  const isStored = together === undefined ? await storeCatchUp(entity, catchUp) : catchesUp;
  if (!isStored) return;
  await startImportRun(entity, catchUp.importId);
  entity.importIds.add(catchUp.importId);
}

async function storeCatchUp({ snapshot }: Entity, catchUp: CatchUp): Promise<boolean> {
  const { organizationId, integrationId } = snapshot;
  const { stored } = await rows().storeCatchUp.executeWithOptions(
    { summary: 'what was imported catches up with the services' },
    [{ organizationId, integrationId, ...catchUp }],
  );
  return stored;
}
