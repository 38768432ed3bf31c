import type postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import type { IntegrationSnapshot } from '../../workflows/messages.ts';
import { type ImportMode, type IntegrationState, SERVICES } from '../../workflows/words.ts';

/** Rows as the api stores them before it asks for work. `sql` is a superuser: no tenant is set. */
export interface TestTenant {
  readonly organizationId: string;
  readonly integrationId: string;
  /** the row as the api reads it for a command; the last known one when it is gone */
  snapshot(): Promise<IntegrationSnapshot>;
  credential(): Promise<{ checkId: string; credentialId: string }>;
  oauthFlow(): Promise<{ checkId: string; oauthFlowId: string }>;
  /** Discovered repositories `acme/repo-001` … */
  repositories(count: number, sizeBytes?: number): Promise<string[]>;
  /** another integration of the same organization that sees the same repositories */
  sibling(): Promise<TestTenant>;
  storeImport(selection: Record<string, unknown>, mode?: ImportMode): Promise<string>;
  integration(): Promise<Record<string, unknown> | undefined>;
  importRow(importId: string): Promise<Record<string, unknown> | undefined>;
  repositoryRows(importId: string): Promise<{ id: string; state: string; error: { code: string } | null }[]>;
  events(importId: string): Promise<string[]>;
  credentialStates(): Promise<{ id: string; state: string; sealed: unknown }[]>;
}

/** An organization with one integration in the given state; an active one has a credential and a name. */
export async function createTenant(
  sql: postgres.Sql,
  state: IntegrationState = 'awaiting_credential',
  draftMs = 7 * 86_400_000,
): Promise<TestTenant> {
  const organizationId = uuid();
  await sql`insert into organizations (id, name) values (${organizationId}, ${organizationId})`;
  return createIntegrationOf(sql, organizationId, state, draftMs);
}

async function createIntegrationOf(
  sql: postgres.Sql,
  organizationId: string,
  state: IntegrationState,
  draftMs: number,
): Promise<TestTenant> {
  const integrationId = uuid();
  const isDraft = state === 'awaiting_credential' || state === 'checking' || state === 'connected';
  const name = isDraft ? null : `Integration ${integrationId.slice(-6)}`;
  const draftExpiresAt = isDraft ? new Date(Date.now() + draftMs).toISOString() : null;
  const services = isDraft ? [] : [...SERVICES];
  const allowed = state === 'awaiting_credential' || state === 'checking' ? [] : [...SERVICES];
  await sql`insert into integrations (id, organization_id, state, name, services, allowed_services, draft_expires_at)
    values (${integrationId}, ${organizationId}, ${state}, ${name}, ${services}, ${allowed}, ${draftExpiresAt})`;

  let last: IntegrationSnapshot = {
    organizationId,
    integrationId,
    state,
    version: 1,
    name,
    services,
    allowedServices: allowed,
    credentialKind: null,
    draftExpiresAt,
  };
  const tenant: TestTenant = {
    organizationId,
    integrationId,
    async snapshot() {
      const [row] = await sql<IntegrationSnapshot[]>`
        select organization_id as "organizationId", id as "integrationId", state, version, name, services,
          allowed_services as "allowedServices", null as "credentialKind", draft_expires_at as "draftExpiresAt"
        from integrations where id = ${integrationId}`;
      if (row !== undefined) {
        const { draftExpiresAt: at } = row;
        last = { ...row, draftExpiresAt: at === null ? null : new Date(at).toISOString() };
      }
      return last;
    },
    async credential() {
      const checkId = uuid();
      const credentialId = uuid();
      await sql`insert into credentials (id, organization_id, integration_id, owner_id, kind, sealed, key_id)
        values (${credentialId}, ${organizationId}, ${integrationId}, ${integrationId}, 'api_token', 'sealed', 'test')`;
      await sql`insert into connection_checks (id, organization_id, integration_id, credential_kind)
        values (${checkId}, ${organizationId}, ${integrationId}, 'api_token')`;
      return { checkId, credentialId };
    },
    async oauthFlow() {
      const checkId = uuid();
      const oauthFlowId = uuid();
      await sql`insert into oauth_flows (id, organization_id, integration_id, state_hash, key_id, redirect_uri, state, expires_at)
        values (${oauthFlowId}, ${organizationId}, ${integrationId}, ${Buffer.from(oauthFlowId)}, 'test', 'http://localhost/', 'returned',
          now() + interval '10 minutes')`;
      await sql`insert into connection_checks (id, organization_id, integration_id, credential_kind)
        values (${checkId}, ${organizationId}, ${integrationId}, 'oauth')`;
      return { checkId, oauthFlowId };
    },
    async repositories(count, sizeBytes) {
      const workspaceId = uuid();
      await sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
        values (${workspaceId}, ${organizationId}, ${workspaceId}, 'acme', 'Acme', now())`;
      const rows = await sql<{ id: string }[]>`
        insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name, is_private,
          size_bytes, raw, observed_at)
        select gen_random_uuid(), ${organizationId}, ${workspaceId}, gen_random_uuid()::text, 'repo-' || lpad(n::text, 3, '0'),
          'repo', 'acme/repo-' || lpad(n::text, 3, '0'), true, ${sizeBytes ?? null}, '{}', now()
        from generate_series(1, ${count}) n returning id`;
      await sql`insert into integration_repositories (organization_id, integration_id, repository_id)
        select ${organizationId}, ${integrationId}, id from repositories where workspace_id = ${workspaceId}`;
      return rows.map(({ id }) => id);
    },
    async sibling() {
      const other = await createIntegrationOf(sql, organizationId, state, draftMs);
      await sql`insert into integration_repositories (organization_id, integration_id, repository_id)
        select ${organizationId}, ${other.integrationId}, repository_id from integration_repositories
        where integration_id = ${integrationId}`;
      return other;
    },
    async storeImport(selection, mode = 'changed') {
      const importId = uuid();
      await sql`insert into imports (id, organization_id, integration_id, mode, selection)
        values (${importId}, ${organizationId}, ${integrationId}, ${mode}, ${sql.json(selection as never)})`;
      return importId;
    },
    integration: async () => (await sql`select * from integrations where id = ${integrationId}`)[0],
    importRow: async (importId) => (await sql`select * from imports where id = ${importId}`)[0],
    repositoryRows: (importId) => sql<{ id: string; state: string; error: { code: string } | null }[]>`
      select repository_id as id, state, error from import_repositories where import_id = ${importId} order by place`,
    events: async (importId) =>
      (
        await sql<
          { type: string }[]
        >`select type from import_events where import_id = ${importId} order by id`
      ).map(({ type }) => type),
    credentialStates: () => sql<{ id: string; state: string; sealed: unknown }[]>`
      select id, state, sealed from credentials where integration_id = ${integrationId} order by created_at`,
  };
  return tenant;
}
