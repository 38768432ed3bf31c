import type { Database, Transaction } from '../../db/client.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { noteMissed } from '../../db/queries/syncs.ts';
import { askPullRequests } from '../../db/queries/wantedPullRequests.ts';
import {
  claimDeliveries,
  type ClaimedDelivery,
  type DeliveryKey,
  endMissing,
  noteDelivering,
  readRelayedRepositories,
  readRelaySubjects,
  selectDueDeliveries,
  type Settled,
  settleDeliveries,
} from '../../db/queries/webhookRelay.ts';
import type { Service } from '../../workflows/words.ts';
import { byOrganization } from './byOrganization.ts';
import { type DeliveryEffect, deliveryEffect, type WantedPullRequest } from './deliveryEffect.ts';
import { type Verdict, verdictOf } from './verdict.ts';
import type { HeldDelivery, Wake } from './wakeBuffer.ts';

/** A claimed delivery is nobody else's for so long; a wake and its row take seconds at most. */
const LEASE_SECONDS = 30;

export interface TakenUp {
  /** how many deliveries were due: there may be more when it is as many as asked for */
  due: number;
  wakes: Wake[];
  /** why others wake nothing: they are done */
  ignored: string[];
}

/** Claims deliveries that are due, `atMost` so many, and works out what they wake. Those that wake nothing are done. */
export async function takeUp(database: Database, atMost: number): Promise<TakenUp> {
  const due = await database.statement((tx) => selectDueDeliveries(tx, atMost));
  const taken: TakenUp = { due: due.length, wakes: [], ignored: [] };
  for (const [organizationId, deliveries] of byOrganization(due)) {
    const { wakes, ignored } = await database.transaction(organizationId, (tx) =>
      takeUpOf(tx, organizationId, deliveries),
    );
    taken.wakes.push(...wakes);
    taken.ignored.push(...ignored);
  }
  return taken;
}

/** The same for one organization, as its tenant. */
async function takeUpOf(
  tx: Transaction,
  organizationId: string,
  due: readonly DeliveryKey[],
): Promise<Pick<TakenUp, 'wakes' | 'ignored'>> {
  const claimed = await claimDeliveries(tx, due);
  if (claimed.length === 0) return { wakes: [], ignored: [] };
  await noteDelivering(tx, [...new Set(claimed.map(({ webhookId }) => webhookId))]);
  const heard = claimed.filter(({ endsMissing }) => endsMissing).map(({ webhookId }) => webhookId);
  for (const { integrationId, ...details } of await endMissing(tx, [...new Set(heard)]))
    await insertAuditEvent(tx, {
      organizationId,
      integrationId,
      action: 'webhook_delivers_again',
      actor: null,
      details,
    });
  const wakes: Wake[] = [];
  const settled: Settled[] = [];
  const missed = new Map<string, Set<Service>>();
  const asked: (WantedPullRequest & { repositoryId: string })[] = [];
  for (const { delivery, effect, verdict } of await judge(tx, claimed)) {
    const { webhookId, receivedOn, id, repeats, integrationId } = delivery;
    const held: HeldDelivery = { webhookId, receivedOn, id, repeats };
    asked.push(...askedBy(effect, verdict));
    if (verdict.outcome === 'woken') {
      wakes.push({ organizationId, integrationId, ...verdict.wakes, deliveries: [held] });
      settled.push({ ...held, outcome: null, reason: null });
      continue;
    }
    settled.push({ ...held, outcome: 'ignored', reason: verdict.reason });
    if (verdict.missed === null) continue;
    const { repositoryId, services } = verdict.missed;
    missed.set(repositoryId, new Set([...(missed.get(repositoryId) ?? []), ...services]));
  }
  // In the order in which everybody locks them.
  for (const [repositoryId, services] of [...missed].toSorted(([one], [other]) => (one < other ? -1 : 1)))
    await noteMissed(tx, { organizationId, repositoryId, services: [...services] });
  await askPullRequests(tx, organizationId, asked);
  await settleDeliveries(tx, settled, LEASE_SECONDS);
  return { wakes, ignored: settled.flatMap(({ reason }) => reason ?? []) };
}

/** What the next reading must ask for by itself, also where that is not now. */
function askedBy(effect: DeliveryEffect, verdict: Verdict): (WantedPullRequest & { repositoryId: string })[] {
  if (effect.kind !== 'sync' || effect.wanted === undefined) return [];
  const read =
    verdict.outcome === 'woken'
      ? { repositoryId: verdict.wakes.repository?.id, services: verdict.wakes.services }
      : { repositoryId: verdict.missed?.repositoryId, services: verdict.missed?.services ?? [] };
  const { repositoryId, services } = read;
  if (repositoryId === undefined || !services.includes('pull_requests')) return [];
  return [{ ...effect.wanted, repositoryId }];
}

/** What becomes of each, by the rows of its integration and its repository. */
async function judge(
  tx: Transaction,
  claimed: readonly ClaimedDelivery[],
): Promise<{ delivery: ClaimedDelivery; effect: DeliveryEffect; verdict: Verdict }[]> {
  const judged = claimed.map((delivery) => ({
    delivery,
    effect: deliveryEffect(delivery),
  }));
  const integrationIds = new Set(claimed.map(({ integrationId }) => integrationId));
  const uuids = new Set(judged.flatMap(({ effect }) => knownAs(effect) ?? []));
  const subjects = await readRelaySubjects(tx, [...integrationIds]);
  const repositories = await readRelayedRepositories(tx, [...uuids]);
  const subjectOf = new Map(subjects.map((row) => [row.integrationId, row]));
  const repositoryOf = new Map(repositories.map((row) => [row.providerUuid, row]));
  return judged.map(({ delivery, effect }) => ({
    delivery,
    effect,
    verdict: verdictOf(
      effect,
      subjectOf.get(delivery.integrationId),
      repositoryOf.get(knownAs(effect) ?? ''),
    ),
  }));
}

/** Bitbucket's uuid of the repository whose row decides. */
const knownAs = (effect: DeliveryEffect): string | undefined =>
  effect.kind === 'sync' || effect.kind === 'deletion' ? effect.repositoryUuid : undefined;
