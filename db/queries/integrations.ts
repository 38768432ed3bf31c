import { and, eq, inArray, sql } from 'drizzle-orm';
import type {
  CommitSource,
  CredentialKind,
  Finding,
  IntegrationState,
  Service,
  Verdict,
} from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { auditEvents, connectionChecks, credentials, imports, integrations } from '../schema/index.ts';
import type { ConnectedAccount } from '../schema/integrations.ts';
import { insertEvent } from './events.ts';

/** What the entity workflow reads and writes. Every function runs inside a transaction of the tenant. */

const ENDED_IMPORTS = ['completed', 'completed_with_failures', 'cancelled'] as const;

const iso = (column: typeof integrations.draftExpiresAt) =>
  sql<string | null>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** The row with the kind of the credential that signs; `undefined`: there is none. */
export async function selectIntegration(tx: Transaction, integrationId: string) {
  const [row] = await tx
    .select({
      state: integrations.state,
      version: integrations.version,
      name: integrations.name,
      services: integrations.services,
      allowedServices: integrations.allowedServices,
      credentialKind: credentials.kind,
      draftExpiresAt: iso(integrations.draftExpiresAt),
      commitSource: integrations.commitSource,
      connectedAccount: integrations.connectedAccount,
    })
    .from(integrations)
    .leftJoin(credentials, eq(credentials.id, integrations.credentialId))
    .where(eq(integrations.id, integrationId));
  return row;
}

/** `undefined`: there is none. */
export async function selectState(
  tx: Transaction,
  integrationId: string,
): Promise<IntegrationState | undefined> {
  const [row] = await tx.execute<{ state: IntegrationState }>(sql`
    select state from integrations where id = ${integrationId}`);
  return row?.state;
}

/** Ids of the imports that have not ended, oldest first. */
export async function selectRunningImports(tx: Transaction, integrationId: string): Promise<string[]> {
  const rows = await tx
    .select({ id: imports.id })
    .from(imports)
    .where(
      and(
        eq(imports.integrationId, integrationId),
        eq(imports.kind, 'import'),
        sql`${imports.state} not in ${[...ENDED_IMPORTS]}`,
      ),
    )
    .orderBy(imports.createdAt, imports.id);
  return rows.map(({ id }) => id);
}

/** Estimates that still ask Bitbucket, by their ids. */
export async function selectRunningEstimates(tx: Transaction, integrationId: string): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select id from import_estimates where integration_id = ${integrationId} and state not in ('done', 'failed')
    order by id`);
  return rows.map(({ id }) => id);
}

/** The repositories that a sync brings up to date at this moment, each with the import that it works for. */
export async function selectRunningSyncs(
  tx: Transaction,
  integrationId: string,
  { after = null, limit = null }: { after?: string | null; limit?: number | null } = {},
): Promise<{ importId: string; repositoryId: string }[]> {
  return tx.execute<{ importId: string; repositoryId: string }>(sql`
    select i.id as "importId", r.repository_id as "repositoryId"
    from imports i
    join import_repositories r on r.organization_id = i.organization_id and r.import_id = i.id
    where i.integration_id = ${integrationId} and i.kind = 'sync'
      and i.state not in ${[...ENDED_IMPORTS]} and r.state not in ('completed', 'failed', 'cancelled')
      and (${after}::uuid is null or i.id > ${after}::uuid)
    order by i.id limit ${limit}`);
}

export interface IntegrationChange {
  state?: IntegrationState;
  name?: string;
  services?: Service[];
  allowedServices?: Service[];
  reason?: Finding | null;
  draftExpiresAt?: string | null;
  commitSource?: CommitSource;
}

/** Compare-and-set of the version. `undefined`: the row has another version, or is gone. */
export async function updateIntegration(
  tx: Transaction,
  input: { integrationId: string; expectedVersion: number; change: IntegrationChange },
): Promise<number | undefined> {
  const [row] = await tx
    .update(integrations)
    .set({
      ...input.change,
      version: sql`${integrations.version} + 1`,
      updatedAt: sql`clock_timestamp()`,
    })
    .where(and(eq(integrations.id, input.integrationId), eq(integrations.version, input.expectedVersion)))
    .returning({ version: integrations.version });
  return row?.version;
}

/** Who did what, for the audit trail and for the feed. `event`: what the feed calls it, where that is another word. */
export async function insertAuditEvent(
  tx: Transaction,
  entry: {
    organizationId: string;
    /** null: it concerns none, like a repository that no integration fetches */
    integrationId: string | null;
    action: string;
    actor: { apiKeyId: string; actingUser: string | null } | null;
    details?: Record<string, unknown>;
    event?: string;
  },
): Promise<void> {
  const { organizationId, integrationId, action, actor, details = {}, event = action } = entry;
  await tx.insert(auditEvents).values({
    organizationId,
    integrationId,
    action,
    apiKeyId: actor?.apiKeyId ?? null,
    actingUser: actor?.actingUser ?? null,
    details,
  });
  const { import_id: importId, repository_id: repositoryId, ...data } = details;
  await insertEvent(tx, {
    organizationId,
    type: event,
    integrationId,
    importId: idOrNull(importId),
    repositoryId: idOrNull(repositoryId),
    actor,
    data,
  });
}

const idOrNull = (value: unknown): string | null => (typeof value === 'string' ? value : null);

/** The check's row, with the finding that made it fail (the first with severity `error`, else the first). */
export async function selectCheckOutcome(tx: Transaction, checkId: string) {
  const [row] = await tx
    .select({
      state: connectionChecks.state,
      verdict: sql<Verdict | null>`${connectionChecks.verdict}`,
      allowedServices: sql<Service[] | null>`${connectionChecks.report} -> 'allowed_services'`,
      reason: sql<Finding | null>`coalesce(
        jsonb_path_query_first(${connectionChecks.report}, '$.findings[*] ? (@.severity == "error")'),
        ${connectionChecks.report} -> 'findings' -> 0)`,
    })
    .from(connectionChecks)
    .where(eq(connectionChecks.id, checkId));
  return row;
}

/**
 * Locks the row against another adoption at the same time; with the account that the check found (null: it did not say),
 * and whether its report says already that this is another one.
 */
export async function lockIntegrationCredential(
  tx: Transaction,
  { integrationId, checkId }: { integrationId: string; checkId: string },
) {
  const [row] = await tx
    .select({
      lastCheckId: integrations.lastCheckId,
      credentialId: integrations.credentialId,
      account: integrations.connectedAccount,
      found: sql<ConnectedAccount | null>`(
        select case when jsonb_typeof(report -> 'account') = 'object' then report -> 'account' end
        from ${connectionChecks} where id = ${checkId})`,
      toldOther: sql<boolean>`coalesce((
        select report -> 'previous_account' is not null from ${connectionChecks} where id = ${checkId}), false)`,
    })
    .from(integrations)
    .where(eq(integrations.id, integrationId))
    .for('update');
  return row;
}

/** The candidate that an OAuth exchange stored last. */
export async function selectOauthCandidate(
  tx: Transaction,
  integrationId: string,
): Promise<string | undefined> {
  const [row] = await tx
    .select({ id: credentials.id })
    .from(credentials)
    .where(
      and(
        eq(credentials.integrationId, integrationId),
        eq(credentials.state, 'candidate'),
        eq(credentials.kind, 'oauth'),
      ),
    )
    .orderBy(sql`${credentials.createdAt} desc`, sql`${credentials.id} desc`)
    .limit(1);
  return row?.id;
}

/** Makes a candidate the one that signs, and answers its kind. `undefined`: it is shredded, or not there. */
export async function activateCredential(
  tx: Transaction,
  input: { integrationId: string; credentialId: string },
): Promise<CredentialKind | undefined> {
  const [row] = await tx
    .update(credentials)
    .set({ state: 'active', discardAfter: null })
    .where(
      and(
        eq(credentials.id, input.credentialId),
        eq(credentials.integrationId, input.integrationId),
        inArray(credentials.state, ['candidate', 'active']),
      ),
    )
    .returning({ kind: credentials.kind });
  return row?.kind;
}

/**
 * Sets the credential that signs, and the account that its check found. `previous`: it is another one than this, which
 * the integration and the report of the check then say.
 */
export async function setIntegrationCredential(
  tx: Transaction,
  input: {
    integrationId: string;
    credentialId: string;
    checkId: string;
    account: ConnectedAccount | null;
    previous: ConnectedAccount | null;
  },
): Promise<void> {
  const { account, previous } = input;
  const until = sql`jsonb_build_object('until', clock_timestamp())`;
  const before = previous === null ? null : JSON.stringify(previous);
  await tx
    .update(integrations)
    .set({
      credentialId: input.credentialId,
      lastCheckId: input.checkId,
      ...(account === null ? {} : { connectedAccount: account }),
      ...(before === null ? {} : { previousAccount: sql`${before}::jsonb || ${until}` }),
      updatedAt: sql`clock_timestamp()`,
    })
    .where(eq(integrations.id, input.integrationId));
  if (before === null) return;
  await tx.execute(sql`
    update connection_checks set report = report || jsonb_build_object('previous_account', ${before}::jsonb)
    where id = ${input.checkId}`);
}

/** Removes the secrets of an integration's credentials: of those in `states`, one by its id, or all but one. Answers how many. */
export async function shredCredentials(
  tx: Transaction,
  input: { integrationId: string; states: ('candidate' | 'active')[]; only?: string; except?: string },
): Promise<number> {
  const rows = await tx
    .update(credentials)
    .set({ state: 'shredded', sealed: null, discardAfter: null })
    .where(
      and(
        eq(credentials.integrationId, input.integrationId),
        inArray(credentials.state, input.states),
        input.only === undefined ? undefined : eq(credentials.id, input.only),
        input.except === undefined ? undefined : sql`${credentials.id} <> ${input.except}`,
      ),
    )
    .returning({ id: credentials.id });
  return rows.length;
}

const isDraft = (integrationId: string) =>
  and(
    eq(integrations.id, integrationId),
    inArray(integrations.state, ['awaiting_credential', 'checking', 'connected']),
  );

/**
 * Keeps a draft as it is until the transaction ends: nobody creates it meanwhile. False: it is none, or gone; or one that
 * was left behind is asked for, and it was touched since.
 */
export async function lockDraft(
  tx: Transaction,
  { integrationId, leftBehind }: { integrationId: string; leftBehind: boolean },
): Promise<boolean> {
  const rows = await tx
    .select({ id: integrations.id })
    .from(integrations)
    .where(
      and(
        isDraft(integrationId),
        leftBehind ? sql`${integrations.draftExpiresAt} < clock_timestamp() - interval '1 hour'` : undefined,
      ),
    )
    .for('update');
  return rows.length === 1;
}

/** Removes an integration that was never created, with everything that hangs on it. */
export async function deleteDraft(tx: Transaction, integrationId: string): Promise<void> {
  await tx.delete(integrations).where(isDraft(integrationId));
}
