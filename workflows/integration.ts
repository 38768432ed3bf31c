import {
  allHandlersFinished,
  condition,
  continueAsNew,
  patched,
  setCurrentDetails,
  upsertSearchAttributes,
} from '@temporalio/workflow';
import { clock, integrationDetails } from './details.ts';
import { isAutoImportDue, startAutoImport } from './integration/autoImport.ts';
import { handleCommands, removeDraft } from './integration/commands.ts';
import { createEntity, type Entity } from './integration/entity.ts';
import { isConfirmed } from './integration/refusals.ts';
import { isDraft } from './integration/rules.ts';
import { confirmRefusals, runNextCheck } from './integration/work.ts';
import { CHECK_INTERRUPTED } from './findings.ts';
import { isLongHistory } from './longHistory.ts';
import type { IntegrationInput } from './messages.ts';
import { rows } from './policies.ts';
import { INTEGRATION_ID, ORGANIZATION_ID, STAGE } from './searchAttributes.ts';

/** From then on a run that takes the place of a lost one tells what is under way how the integration stands. */
const TELLS_ANEW = 'lost-run-is-told-of-anew';

/**
 * One connection of an organization to Bitbucket, from draft to deletion. Id: `integration/{integrationId}`.
 * Started by the first command (update-with-start) with the row's snapshot, and again should its run ever be lost.
 *
 *  1. Read the row: without one the integration is deleted, and stays so.
 *  2. Take commands (`integration/commands.ts`), one at a time. Rows hold the truth; this run steers.
 *  3. Meanwhile, one thing after the other: check credentials that were submitted, confirm refusals of the one
 *     that signs, have poll rounds come or rest, import what the auto-import rules take, let an untouched draft expire.
 *  4. Continue as new before the history gets long; children are abandoned to their own runs and live on.
 */
export async function integration(input: IntegrationInput): Promise<void> {
  const entity = createEntity(input);
  show(entity, null);
  // Before the handlers: a command that came with the start must find the row read.
  const begun = entity.exclusive(() => begin(entity, input));
  handleCommands(entity);
  await begun;

  while (!entity.gone) {
    if (entity.checks.length > 0) {
      await runNextCheck(entity);
    } else if (isDue(probeOf(entity)) || isConfirmed(entity.refusals, entity.timing)) {
      await confirmRefusals(entity);
    } else if (isPolledOtherwise(entity) && patched('schedule-polls')) {
      await schedulePolls(entity);
    } else if (isAutoImportDue(entity)) {
      await startAutoImport(entity);
    } else if (isDue(expiryOf(entity))) {
      await entity.exclusive(async () => {
        // a command that waited for its turn may have touched or created it
        if (isDue(expiryOf(entity))) await removeDraft(entity, 'the untouched draft expired', null);
      });
    } else if (isLong(entity)) {
      await condition(allHandlersFinished);
      if (!entity.gone) await continueAsNew<typeof integration>(carried(entity, input));
    } else {
      await waitForWork(entity);
    }
  }
  await condition(allHandlersFinished);
}

/** Step 1. What a run that was lost had in hand is put right: without its check, `checking` would never end. */
async function begin(entity: Entity, input: IntegrationInput): Promise<void> {
  await entity.load();
  if (entity.gone) return;
  const { organizationId, integrationId, state } = entity.snapshot;
  upsertSearchAttributes([
    { key: ORGANIZATION_ID, value: organizationId },
    { key: INTEGRATION_ID, value: integrationId },
    { key: STAGE, value: state },
  ]);
  if (state === 'checking' && (input.carried?.checks ?? []).length === 0) {
    await entity.save({ state: 'awaiting_credential', reason: CHECK_INTERRUPTED });
  }
  // A discovery may have ended while there was no run to hear of it.
  if (input.carried === undefined && !isDraft(state) && patched('auto-import')) entity.autoImportDue = true;
  if (input.carried === undefined && patched(TELLS_ANEW)) await tellAnew(entity);
  if (entity.refusals.length > 0) entity.probeAtMs ??= Date.now() + entity.timing.probeEveryMs;
}

/** The run before may have been lost between what it stored and who was to hear of it: they would wait for ever. */
async function tellAnew(entity: Entity): Promise<void> {
  const { state } = entity.snapshot;
  if (state === 'active') await entity.tellRuns(null);
  if (state === 'paused') await entity.tellRuns('integration');
  if (state === 'needs_credential') await entity.tellRuns('needs_credential');
}

/** Poll rounds come while it is active, and rest otherwise; a draft has none, and one that is removed no more. */
const isPolledOtherwise = ({ snapshot: { state }, polled }: Entity): boolean =>
  !isDraft(state) && state !== 'disconnecting' && polled !== (state === 'active');

async function schedulePolls(entity: Entity): Promise<void> {
  const { organizationId, integrationId, state, name } = entity.snapshot;
  const active = state === 'active';
  await rows().schedulePolls.executeWithOptions(
    { summary: active ? 'poll from now on' : 'let the poll rounds rest' },
    [{ organizationId, integrationId, name, active }],
  );
  entity.polled = active;
}

interface Due {
  atMs: number;
  saying: string;
}

const probeOf = ({ probeAtMs, snapshot }: Entity): Due | null =>
  probeAtMs === null || snapshot.state !== 'active'
    ? null
    : { atMs: probeAtMs, saying: 'Bitbucket refused the credential; asks again' };

const expiryOf = ({ snapshot: { state, draftExpiresAt } }: Entity): Due | null =>
  draftExpiresAt === null || !isDraft(state)
    ? null
    : { atMs: Date.parse(draftExpiresAt), saying: 'the draft expires' };

const isDue = (due: Due | null): boolean => due !== null && due.atMs <= Date.now();

const isLong = ({ timing }: Entity): boolean => isLongHistory(timing.historyLimit);

/** Sleeps until a command or signal brings work, or the next date is there. */
async function waitForWork(entity: Entity): Promise<void> {
  const next = [probeOf(entity), expiryOf(entity)]
    .filter((due) => due !== null)
    .toSorted((one, other) => one.atMs - other.atMs)[0];
  show(entity, next ?? null);
  const { version } = entity.snapshot;
  const probeAtMs = entity.probeAtMs;
  const woken = () =>
    entity.gone ||
    entity.checks.length > 0 ||
    entity.snapshot.version !== version ||
    entity.probeAtMs !== probeAtMs ||
    isConfirmed(entity.refusals, entity.timing) ||
    isAutoImportDue(entity) ||
    isLong(entity);
  if (next === undefined) {
    await condition(woken);
  } else {
    const summary = `${next.saying} ${clock(next.atMs, Date.now())}`;
    await condition(woken, Math.max(1, next.atMs - Date.now()), { summary });
  }
}

function show({ snapshot, importIds, refusals }: Entity, next: Due | null): void {
  setCurrentDetails(
    integrationDetails({
      name: snapshot.name,
      state: snapshot.state,
      services: snapshot.services,
      runningImports: importIds.size,
      refusals: refusals.length,
      nextTimer: next === null ? null : `${next.saying} ${clock(next.atMs, Date.now())}`,
    }),
  );
}

const carried = (entity: Entity, input: IntegrationInput): IntegrationInput => ({
  ...(input.timing === undefined ? {} : { timing: input.timing }),
  snapshot: { ...entity.snapshot },
  carried: {
    runningImportIds: [...entity.importIds],
    checks: [...entity.checks],
    refusals: [...entity.refusals],
    probeAtMs: entity.probeAtMs,
    followUp: { ...entity.followUp },
    polled: entity.polled,
    autoImportDue: entity.autoImportDue,
  },
});
