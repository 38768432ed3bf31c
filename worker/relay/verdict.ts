import type { RelayedRepository, RelaySubject } from '../../db/queries/webhookRelay.ts';
import type { Service } from '../../workflows/words.ts';
import type { DeliveryEffect } from './deliveryEffect.ts';
import type { Wake } from './wakeBuffer.ts';

/** What becomes of a delivery. */
export type Verdict =
  | { outcome: 'woken'; wakes: Pick<Wake, 'repository' | 'services' | 'lookUp'> }
  | { outcome: 'ignored'; reason: string; missed: { repositoryId: string; services: Service[] } | null };

const ignored = (reason: string): Verdict => ({ outcome: 'ignored', reason, missed: null });

/**
 * Whether what a delivery is about is to be fetched now. `integration` is the webhook's, `repository` the one with the
 * effect's uuid; undefined: not there. What changes while the integration cannot fetch is remembered (`missed`), as a sync
 * that finds it so does.
 */
export function verdictOf(
  effect: DeliveryEffect,
  integration: RelaySubject | undefined,
  repository: RelayedRepository | undefined,
): Verdict {
  if (effect.kind === 'none') return ignored(effect.reason);
  if (integration === undefined) return ignored('integration_gone');
  const { state } = integration;
  if (effect.kind === 'deletion' && repository === undefined) return ignored('repository_unknown');
  if (effect.kind === 'discovery' || effect.kind === 'deletion' || effect.kind === 'repository') {
    if (state !== 'active') return ignored(`integration_${state}`);
    const lookUp = effect.kind === 'repository' ? [effect.repositoryUuid] : null;
    return { outcome: 'woken', wakes: { repository: null, services: [], lookUp } };
  }
  if (repository === undefined) return ignored('repository_unknown');
  if (repository.integrationId !== integration.integrationId || !repository.imported)
    return ignored('repository_not_imported');
  const services = effect.services.filter((service) => integration.services.includes(service));
  if (services.length === 0) return ignored('service_off');
  if (state === 'paused' || state === 'needs_credential') {
    const missed = { repositoryId: repository.id, services };
    return { outcome: 'ignored', reason: `integration_${state}`, missed };
  }
  if (state !== 'active') return ignored(`integration_${state}`);
  const { id, fullName } = repository;
  return { outcome: 'woken', wakes: { repository: { id, fullName }, services, lookUp: null } };
}
