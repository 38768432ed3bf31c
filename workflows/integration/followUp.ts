import { patched } from '@temporalio/workflow';
import type { FollowUp } from '../messages.ts';
import { startDiscovery } from './children.ts';
import type { Entity } from './entity.ts';
import { wakeAllParked } from './runs.ts';

/** From then on what a credential that was adopted in a pause is good for is done behind the pause. */
const BEHIND_A_PAUSE = 'follow-up-behind-a-pause';

/** Has tried again what Bitbucket may answer otherwise now. In a pause it is put off until `followUpLate`. */
export async function followUp(entity: Entity, wanted: FollowUp): Promise<void> {
  const { state } = entity.snapshot;
  if (state === 'paused') {
    const { parked, discovery } = entity.followUp;
    entity.followUp = { parked: parked || wanted.parked, discovery: discovery || wanted.discovery };
  }
  if (state !== 'active') return;
  if (wanted.parked) await wakeAllParked(entity);
  if (wanted.discovery) await startDiscovery(entity);
}

/** Behind a pause. */
export async function followUpLate(entity: Entity): Promise<void> {
  const late = entity.followUp;
  entity.followUp = { parked: false, discovery: false };
  if ((late.parked || late.discovery) && patched(BEHIND_A_PAUSE)) await followUp(entity, late);
}
