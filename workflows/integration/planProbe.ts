import { patched } from '@temporalio/workflow';
import type { Entity } from './entity.ts';
import { withRefusal } from './refusals.ts';

/**
 * From then on a planned probe stands over a pause, in which none is sent: what was refused holds the credential back from
 * every run (`credential_held`), and nobody else would find out that it is taken again.
 */
const OUTLIVES_PAUSE = 'probe-outlives-pause';

/** Bitbucket refused the credential at this time (ISO), to a run: it is asked again, at the latest behind a pause. */
export function planProbe(entity: Entity, at: string): void {
  const { state } = entity.snapshot;
  if (state === 'active') entity.refusals = withRefusal(entity.refusals, at, entity.timing);
  else if (state !== 'paused' || !patched(OUTLIVES_PAUSE)) return;
  entity.probeAtMs ??= Date.now() + entity.timing.probeEveryMs;
}

/** A pause says nothing of the credential, so what was refused before it is counted anew behind it. */
export function restFromProbes(entity: Entity): void {
  entity.refusals = [];
  if (entity.probeAtMs !== null && !patched(OUTLIVES_PAUSE)) entity.probeAtMs = null;
}
