import { and, desc, eq, lt, or, sql } from 'drizzle-orm';
import type {
  CommitSource,
  CredentialKind,
  Finding,
  IntegrationState,
  Service,
} from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { credentials, integrations } from '../../schema/index.ts';
import type { ConnectedAccount } from '../../schema/integrations.ts';
import { allFail, someFail } from '../repositoryHealth.ts';

const COLUMNS = {
  id: integrations.id,
  organizationId: integrations.organizationId,
  provider: integrations.provider,
  name: integrations.name,
  state: integrations.state,
  reason: integrations.reason,
  version: integrations.version,
  services: integrations.services,
  allowedServices: integrations.allowedServices,
  commitSource: integrations.commitSource,
  connectedAccount: integrations.connectedAccount,
  previousAccount: integrations.previousAccount,
  discoveryState: integrations.discoveryState,
  discoveryError: integrations.discoveryError,
  lastDiscoveryAt: integrations.lastDiscoveryAt,
  draftExpiresAt: integrations.draftExpiresAt,
  createdByKey: integrations.createdByKey,
  createdByUser: integrations.createdByUser,
  createdAt: integrations.createdAt,
  updatedAt: integrations.updatedAt,
  credentialKind: credentials.kind,
  credentialExpiresOn: credentials.expiresOn,
  credentialScopes: credentials.scopes,
  excludedOwners: sql<string[]>`array(select w.workspace_id from integration_workspaces w
    where w.integration_id = ${integrations.id} and w.excluded order by w.workspace_id)`,
  // What its imports and repositories are doing, for the health (design section 9).
  importing: sql<boolean>`exists (select from imports i where i.integration_id = ${integrations.id}
    and i.kind = 'import' and i.state in ('pending', 'running'))`,
  limited: sql<boolean>`exists (select from imports i where i.integration_id = ${integrations.id}
    and i.state = 'rate_limited')`,
  failing: someFail(integrations.id),
  allFailing: allFail(integrations.id),
};

export interface IntegrationRow {
  id: string;
  organizationId: string;
  provider: string;
  name: string | null;
  state: IntegrationState;
  reason: Finding | null;
  version: number;
  services: Service[];
  allowedServices: Service[];
  commitSource: CommitSource;
  connectedAccount: ConnectedAccount | null;
  previousAccount: (ConnectedAccount & { until: string }) | null;
  discoveryState: 'never' | 'running' | 'done' | 'failed';
  discoveryError: Finding | null;
  lastDiscoveryAt: string | null;
  draftExpiresAt: string | null;
  createdByKey: string | null;
  createdByUser: string | null;
  createdAt: string;
  updatedAt: string;
  credentialKind: CredentialKind | null;
  credentialExpiresOn: string | null;
  credentialScopes: string[] | null;
  /** ids of workspaces */
  excludedOwners: string[];
  importing: boolean;
  limited: boolean;
  failing: boolean;
  allFailing: boolean;
}

const joined = (tx: Transaction) =>
  tx
    .select(COLUMNS)
    .from(integrations)
    .leftJoin(
      credentials,
      and(
        eq(credentials.organizationId, integrations.organizationId),
        eq(credentials.id, integrations.credentialId),
      ),
    );

export async function readIntegration(tx: Transaction, id: string): Promise<IntegrationRow | null> {
  const [row] = await joined(tx).where(eq(integrations.id, id));
  return row ?? null;
}

export async function isIntegration(tx: Transaction, id: string): Promise<boolean> {
  const rows = await tx.execute(sql`select from integrations where id = ${id}`);
  return rows.length > 0;
}

/** Newest first; `after` is the creation time and id of the last one seen. */
export async function listIntegrations(
  tx: Transaction,
  { limit, after }: { limit: number; after: { createdAt: string; id: string } | null },
): Promise<IntegrationRow[]> {
  return joined(tx)
    .where(
      after === null
        ? undefined
        : or(
            lt(integrations.createdAt, after.createdAt),
            and(eq(integrations.createdAt, after.createdAt), lt(integrations.id, after.id)),
          ),
    )
    .orderBy(desc(integrations.createdAt), desc(integrations.id))
    .limit(limit);
}

/** A draft that expires after a week without a touch. Nothing, where the same request has made it already. */
export async function insertIntegration(
  tx: Transaction,
  row: { id: string; organizationId: string; createdByKey: string; createdByUser: string | null },
): Promise<void> {
  await tx
    .insert(integrations)
    .values({ ...row, draftExpiresAt: sql`clock_timestamp() + interval '7 days'` })
    .onConflictDoNothing({ target: integrations.id });
}

export interface DiscoveredCounts {
  workspaces: number;
  projects: number;
  repositories: number;
  importedRepositories: number;
}

export async function countDiscovered(tx: Transaction, integrationId: string): Promise<DiscoveredCounts> {
  const [row] = await tx.execute<DiscoveredCounts & Record<string, unknown>>(sql`
    select
      (select count(*)::int from integration_workspaces w where w.integration_id = ${integrationId}) as workspaces,
      -- By the key at each step, whatever the planner believes of tables that a discovery is filling: as a join this read
      -- all repositories for each project.
      (select count(*)::int from projects p where (
        select true from repositories r
        where r.organization_id = p.organization_id and r.project_id = p.id and (
          select s.presence = 'present' from integration_repositories s
          where s.organization_id = r.organization_id and s.integration_id = ${integrationId}
            and s.repository_id = r.id)
        limit 1)) as projects,
      (select count(*)::int from integration_repositories s
        where s.integration_id = ${integrationId} and s.presence = 'present') as repositories,
      -- Its own are counted from an index alone. Those that others fetch, or that are gone, are few: one range of the
      -- index on either side of its own.
      (select count(*)::int from repository_health h where h.imported and h.integration_id = ${integrationId})
        + (select count(*)::int from (
            select organization_id, repository_id from repository_health
            where imported and integration_id < ${integrationId}
            union all
            select organization_id, repository_id from repository_health
            where imported and integration_id > ${integrationId}
            union all
            select organization_id, repository_id from repository_health where imported and integration_id is null
          ) h
          where exists (select from integration_repositories s where s.organization_id = h.organization_id
            and s.integration_id = ${integrationId} and s.repository_id = h.repository_id)
        ) as "importedRepositories"`);
  return row ?? { workspaces: 0, projects: 0, repositories: 0, importedRepositories: 0 };
}
