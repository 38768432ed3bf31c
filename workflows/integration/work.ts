import { condition, patched } from '@temporalio/workflow';
import { readFailure } from '../failures.ts';
import { CHECK_INTERRUPTED, CREDENTIAL_REFUSED } from '../findings.ts';
import { isRefusal } from '../limits.ts';
import type { PendingCheck } from '../messages.ts';
import { bitbucketRows, connectionCheckTries, rows } from '../policies.ts';
import type { Finding, IntegrationState, Service } from '../words.ts';
import { cancelCheck, startCheck } from './children.ts';
import type { Entity } from './entity.ts';
import { followUp } from './followUp.ts';
import { isConfirmed, withRefusal } from './refusals.ts';
import { tenantOf } from './tenant.ts';

/** From then on an accepted probe waits for the command in hand, which may be a pause. */
const PROBE_IN_TURN = 'accepted-probe-waits-its-turn';

/** From then on a discovery that failed is tried again behind an accepted probe. */
const DISCOVERS_AGAIN = 'accepted-probe-discovers-again';

/** Runs the check that waits longest, and takes its outcome from its row. */
export async function runNextCheck(entity: Entity): Promise<void> {
  const check = entity.checks[0];
  if (check === undefined) return;
  const credentialId = (await awaitCheck(entity, check)) ?? check.credentialId;
  await entity.exclusive(async () => {
    if (entity.gone) return;
    entity.checks.shift();
    await applyOutcome(entity, { ...check, credentialId });
  });
}

/**
 * Waits until the check ended and gives the credential it checked, where its run tells.
 * A check whose run is not ours (a run of ours was reset) is watched by its row.
 */
async function awaitCheck(entity: Entity, check: PendingCheck): Promise<string | null> {
  const started = await startCheck(entity, check);
  if (started !== null) {
    const result = await Promise.race([started.ended, condition(() => entity.gone)]);
    if (entity.gone) await cancelCheck(check.checkId);
    return result?.credentialId ?? null;
  }
  for (let look = 0; look < 60 && !entity.gone; look += 1) {
    const { done } = await outcomeOf(entity, check);
    if (done) break;
    await condition(() => entity.gone, '10 seconds', {
      summary: 'the check still runs; looks at its row again',
    });
  }
  return null;
}

const outcomeOf = (entity: Entity, { checkId }: PendingCheck) =>
  rows().checkOutcome.executeWithOptions({ summary: 'read the outcome of the check' }, [
    { ...tenantOf(entity), checkId },
  ]);

const AFTER_PASS: Partial<Record<IntegrationState, IntegrationState>> = {
  awaiting_credential: 'connected',
  checking: 'connected',
  needs_credential: 'active',
};

/** A credential that passed replaces the one before; one that failed changes nothing that runs. */
async function applyOutcome(entity: Entity, check: PendingCheck): Promise<void> {
  const outcome = await outcomeOf(entity, check);
  if (!outcome.done) {
    await bitbucketRows().failCheck.executeWithOptions({ summary: 'end the check that broke off' }, [
      { organizationId: entity.snapshot.organizationId, checkId: check.checkId, finding: CHECK_INTERRUPTED },
    ]);
  }
  // Whoever removes the integration has removed its secrets, or is about to: none becomes the one that signs.
  const isLate = entity.snapshot.state === 'disconnecting';
  if (isLate || !outcome.done || outcome.verdict === null || outcome.verdict === 'failed') {
    await reject(entity, check, outcome.reason ?? CHECK_INTERRUPTED);
    return;
  }
  const adopted = await adopt(entity, check);
  if ('shredded' in adopted) return reject(entity, check, adopted.shredded);
  await goOn(entity, outcome.allowedServices);
  // What the former credential was refused may be shown to this one, and another account sees other repositories.
  const discovery = adopted.otherAccount || adopted.discoveryFailed === true;
  await followUp(entity, { parked: adopted.parked === true, discovery });
}

async function reject(entity: Entity, { credentialId }: PendingCheck, reason: Finding): Promise<void> {
  await rows().discardCredential.executeWithOptions({ summary: 'shred the credential that failed' }, [
    { ...tenantOf(entity), credentialId, reason },
  ]);
  if (entity.snapshot.state === 'checking' && entity.checks.length === 0) {
    await entity.save({ state: 'awaiting_credential', reason });
  }
}

/** Runs begun before the rest was answered do not have it in their histories. */
interface Adopted {
  otherAccount: boolean;
  parked?: boolean;
  discoveryFailed?: boolean;
}

/** `shredded`: why it could not be adopted: its secret was removed while it waited for its check. */
async function adopt(
  entity: Entity,
  { checkId, credentialId }: PendingCheck,
): Promise<Adopted | { shredded: Finding }> {
  try {
    const answer: Adopted | undefined = await rows().adoptCredential.executeWithOptions(
      { summary: 'make the checked credential the one that signs' },
      [{ ...tenantOf(entity), checkId, credentialId }],
    );
    // Runs begun before this was asked have no answer in their histories.
    return answer ?? { otherAccount: false };
  } catch (error) {
    const { type, finding } = readFailure(error);
    if (type !== 'credential_shredded') throw error;
    return { shredded: finding };
  }
}

async function goOn(entity: Entity, allowedServices: Service[]): Promise<void> {
  const before = entity.snapshot.state;
  const state = AFTER_PASS[before];
  entity.refusals = [];
  entity.probeAtMs = null;
  await entity.save({
    ...(state === undefined ? {} : { state }),
    allowedServices,
    ...(before === 'paused' ? {} : { reason: null }),
  });
  // Runs that met a 401 and still wait to try again go on at once with the new credential.
  if (entity.snapshot.state === 'active') await entity.tellRuns(null);
}

/** Asks Bitbucket whether it still refuses; `needs_credential` once that is sure. */
export async function confirmRefusals(entity: Entity): Promise<void> {
  if (!isConfirmed(entity.refusals, entity.timing)) {
    const accepted = await probe(entity);
    const nowMs = Date.now();
    if (accepted === true) {
      await forgetRefusals(entity);
      return;
    }
    entity.probeAtMs = nowMs + entity.timing.probeEveryMs;
    if (accepted === false) {
      entity.refusals = withRefusal(entity.refusals, new Date(nowMs).toISOString(), entity.timing);
    }
  }
  if (!isConfirmed(entity.refusals, entity.timing)) return;
  await entity.exclusive(async () => {
    if (entity.gone || entity.snapshot.state !== 'active') return;
    await entity.save({ state: 'needs_credential', reason: CREDENTIAL_REFUSED });
    entity.refusals = [];
    entity.probeAtMs = null;
    await entity.tellRuns('needs_credential');
  });
}

/** Runs that wait for the credential go on, unless the integration was paused while the host was asked. */
async function forgetRefusals(entity: Entity): Promise<void> {
  const inTurn = patched(PROBE_IN_TURN);
  const forget = async (): Promise<void> => {
    entity.refusals = [];
    entity.probeAtMs = null;
    if (!inTurn || (!entity.gone && entity.snapshot.state === 'active')) await entity.tellRuns(null);
    if (inTurn && !entity.gone && patched(DISCOVERS_AGAIN)) await followUpProbe(entity);
  };
  await (inTurn ? entity.exclusive(forget) : forget());
}

/** A discovery that met the refusals has ended with them. */
async function followUpProbe(entity: Entity): Promise<void> {
  const { failed } = await rows().lastDiscovery.executeWithOptions({ summary: 'did the discovery fail' }, [
    tenantOf(entity),
  ]);
  await followUp(entity, { parked: false, discovery: failed });
}

/** `null`: the host could not be asked, which says nothing about the credential. */
async function probe(entity: Entity): Promise<boolean | null> {
  try {
    const { accepted } = await connectionCheckTries().probeCredential.executeWithOptions(
      { summary: 'does Bitbucket still refuse the credential?' },
      [tenantOf(entity)],
    );
    return accepted;
  } catch (error) {
    const { type } = readFailure(error);
    return isRefusal(type) ? false : null;
  }
}
