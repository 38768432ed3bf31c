import type { Transaction } from '../db/client.ts';
import { type IntegrationRow, isIntegration, readIntegration } from '../db/queries/api/integrations.ts';
import type { Actor, IntegrationSnapshot } from '../workflows/messages.ts';
import type { ApiEnv, Principal } from './dependencies.ts';
import { instantOrNull } from './instant.ts';
import { notFound } from './problem.ts';

type Variables = Pick<ApiEnv['Variables'], 'dependencies' | 'principal'>;

/** The integration's row, or 404: for what is not there and for what belongs to another organization. */
export async function integrationOrNotFound(
  { dependencies, principal }: Variables,
  id: string,
): Promise<IntegrationRow> {
  const row = await dependencies.database.read(principal.organizationId, (tx) => readIntegration(tx, id));
  if (row === null) throw notFound('integration');
  return row;
}

/**
 * The integration's row with what `work` reads of it, or 404. Both go together: `work` is done for an id that may be nobody's,
 * and finds nothing there.
 */
export async function integrationWith<T>(
  { dependencies, principal }: Variables,
  id: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<{ integration: IntegrationRow; found: T }> {
  const [integration, found] = await dependencies.database.read(principal.organizationId, (tx) =>
    Promise.all([readIntegration(tx, id), work(tx)]),
  );
  if (integration === null) throw notFound('integration');
  return { integration, found };
}

/** What `work` reads of an integration whose row is not asked for: that one may cost more than a page of a list. Or 404. */
export async function ofIntegration<T>(
  { dependencies, principal }: Variables,
  id: string,
  work: (tx: Transaction) => Promise<T>,
): Promise<T> {
  const [isThere, found] = await dependencies.database.read(principal.organizationId, (tx) =>
    Promise.all([isIntegration(tx, id), work(tx)]),
  );
  if (!isThere) throw notFound('integration');
  return found;
}

/** What a fresh run of the integration's workflow starts from. */
export const snapshotOf = (row: IntegrationRow): IntegrationSnapshot => ({
  organizationId: row.organizationId,
  integrationId: row.id,
  state: row.state,
  version: row.version,
  name: row.name,
  services: row.services,
  allowedServices: row.allowedServices,
  credentialKind: row.credentialKind,
  draftExpiresAt: instantOrNull(row.draftExpiresAt),
  commitSource: row.commitSource,
});

export const actorOf = ({ apiKeyId, actingUser }: Principal): Actor => ({ apiKeyId, actingUser });
