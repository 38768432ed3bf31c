import { failCheck } from '../activities/integrations/failCheck.ts';
import { removeDraft } from '../activities/integrations/removeDraft.ts';
import type { Database } from '../db/client.ts';
import { selectExpiringCredentials, warnOfExpiry } from '../db/queries/expiringCredentials.ts';
import {
  deleteOldEstimates,
  deleteOverdueAnswers,
  deleteOverdueFlows,
  keepDeliveryDays,
  selectChecksLeftRunning,
  selectDraftsLeftBehind,
  selectOrganizationsToSweep,
  selectOrganizationsWithOldEstimates,
  selectOverdueSecrets,
  shredOverdueSecret,
} from '../db/queries/overdueRows.ts';
import { WARN_DAYS } from '../workflows/credentialExpiry.ts';
import { CHECK_INTERRUPTED } from '../workflows/findings.ts';
import { beginUnbegun, type BeginUnbegunOptions } from './beginUnbegun.ts';
import { startRepeating } from './repeat.ts';

const EVERY_MS = 60_000;

/** How many of each kind one pass removed (of webhook deliveries, whole days), and of how many credentials it warned. */
export interface Swept {
  secrets: number;
  checks: number;
  drafts: number;
  flows: number;
  answers: number;
  estimates: number;
  deliveryDays: number;
  expiring: number;
}

/**
 * Removes what outlived its use: secrets that waited for a connection check longer than allowed (15 minutes; the
 * check's own end removes them at once, but a run that an operator terminates has no end), checks and drafts whose run
 * never began or was lost (the api was stopped, or Temporal away, behind their rows), OAuth flows that are over,
 * answers kept for an `Idempotency-Key`, estimates of more than a day ago, webhook deliveries of more
 * than a week ago (and makes the days to come). And warns of credentials that come near their
 * end: a timer of each integration would fill histories with what one statement for all finds. Beside that begins what a
 * request stored and no run has begun. Answers how to stop.
 */
export function startSweep({
  everyMs = EVERY_MS,
  ...begin
}: BeginUnbegunOptions & { everyMs?: number }): () => Promise<void> {
  const { database, log } = begin;
  const stops = [
    startRepeating({
      everyMs,
      log,
      failed: 'What is due could not be removed or warned of; tried again in a minute',
      async round() {
        const swept = await sweep(database);
        if (Object.values(swept).some((count) => count > 0))
          log.info(swept, 'What is due was removed, or warned of');
      },
    }),
    startRepeating({
      everyMs,
      log,
      failed: 'What no run has begun could not be looked for; tried again in a minute',
      async round(isStopped) {
        const begun = await beginUnbegun({ ...begin, isStopped });
        if (begun.imports + begun.retries > 0) log.info(begun, 'What no run had begun was begun');
      },
    }),
  ];
  return async () => {
    await Promise.all(stops.map((stop) => stop()));
  };
}

/** One pass over all tenants, each in a transaction of its own. */
export async function sweep(database: Database): Promise<Swept> {
  const swept: Swept = {
    secrets: 0,
    checks: 0,
    drafts: 0,
    flows: 0,
    answers: 0,
    estimates: 0,
    deliveryDays: 0,
    expiring: 0,
  };
  const overdue = await database.withoutTenant((tx) => selectOverdueSecrets(tx));
  for (const { organizationId, id } of overdue) {
    if (await database.transaction(organizationId, (tx) => shredOverdueSecret(tx, id))) swept.secrets += 1;
  }
  for (const { organizationId, id } of await database.withoutTenant((tx) => selectChecksLeftRunning(tx))) {
    const check = { checkId: id, finding: CHECK_INTERRUPTED };
    if (await database.transaction(organizationId, (tx) => failCheck(tx, check))) swept.checks += 1;
  }
  for (const { organizationId, id } of await database.withoutTenant((tx) => selectDraftsLeftBehind(tx))) {
    const draft = { organizationId, integrationId: id, actor: null, leftBehind: true };
    if (await database.transaction(organizationId, (tx) => removeDraft(tx, draft))) swept.drafts += 1;
  }
  for (const organizationId of await database.withoutTenant((tx) => selectOrganizationsToSweep(tx))) {
    const [flows, answers] = await database.transaction(organizationId, async (tx) => [
      await deleteOverdueFlows(tx),
      await deleteOverdueAnswers(tx),
    ]);
    swept.flows += flows ?? 0;
    swept.answers += answers ?? 0;
  }
  for (const organizationId of await database.withoutTenant((tx) =>
    selectOrganizationsWithOldEstimates(tx),
  )) {
    swept.estimates += await database.transaction(organizationId, (tx) => deleteOldEstimates(tx));
  }
  swept.deliveryDays = await database.statement((tx) => keepDeliveryDays(tx));
  const expiring = await database.withoutTenant((tx) => selectExpiringCredentials(tx, WARN_DAYS));
  for (const { organizationId, id } of expiring) {
    const one = { organizationId, id, warnDays: WARN_DAYS };
    if (await database.transaction(organizationId, (tx) => warnOfExpiry(tx, one))) swept.expiring += 1;
  }
  return swept;
}
