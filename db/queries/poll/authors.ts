import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import type { OfWorkspace } from './scope.ts';

/** Who writes pull requests in a workspace, to be asked for by name. Every function runs inside a transaction of the tenant. */

/** The authors that are stored already, daily: the accounts that wrote its pull requests. */
export async function rememberAuthors(
  tx: Transaction,
  { organizationId, workspaceId }: OfWorkspace,
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_authors (organization_id, workspace_id, author_uuid, seen_at)
    select distinct ${organizationId}::uuid, ${workspaceId}::uuid, p.author_uuid, clock_timestamp()
    from repositories r
    join pull_requests p on p.organization_id = r.organization_id and p.repository_id = r.id
    where r.workspace_id = ${workspaceId} and p.author_uuid is not null
    on conflict (organization_id, workspace_id, author_uuid) do nothing`);
}

/** Who may write pull requests, as the list of members says. */
export async function rememberMembers(
  tx: Transaction,
  { organizationId, workspaceId, uuids }: OfWorkspace & { uuids: readonly string[] },
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_authors (organization_id, workspace_id, author_uuid, seen_at)
    select ${organizationId}::uuid, ${workspaceId}::uuid, u.uuid, clock_timestamp()
    from jsonb_array_elements_text(${JSON.stringify(uuids)}::jsonb) as u (uuid)
    order by u.uuid
    on conflict (organization_id, workspace_id, author_uuid) do nothing`);
}

/** The members are listed for today. */
export async function endMembers(tx: Transaction, input: OfWorkspace): Promise<void> {
  await tx.execute(sql`
    insert into workspace_polls (organization_id, integration_id, workspace_id, members_read_at)
    values (${input.organizationId}, ${input.integrationId}, ${input.workspaceId}, clock_timestamp())
    on conflict (organization_id, integration_id, workspace_id) do update set
      members_read_at = excluded.members_read_at`);
}

/** All authors are given up. */
export async function noteAuthorsRefused(tx: Transaction, input: OfWorkspace): Promise<void> {
  await tx.execute(sql`
    insert into workspace_polls (organization_id, integration_id, workspace_id, authors_refused_at)
    values (${input.organizationId}, ${input.integrationId}, ${input.workspaceId}, clock_timestamp())
    on conflict (organization_id, integration_id, workspace_id) do update set
      authors_refused_at = excluded.authors_refused_at`);
}

export interface PolledAuthor extends Record<string, unknown> {
  uuid: string;
  /** met since: no round before has asked for what this author wrote */
  isNew: boolean;
}

/** The next author behind `after`, in the order of uuids. `since`: what changed before is known; null: nothing is. */
export async function nextAuthor(
  tx: Transaction,
  { workspaceId, after, since }: { workspaceId: string; after: string | null; since: string | null },
): Promise<PolledAuthor | undefined> {
  const [row] = await tx.execute<PolledAuthor>(sql`
    select author_uuid as uuid, coalesce(seen_at > ${since}::timestamptz, true) as "isNew" from workspace_authors
    where workspace_id = ${workspaceId} and ${after === null ? sql`true` : sql`author_uuid > ${after}`}
    order by author_uuid limit 1`);
  return row;
}

/** Bitbucket shows what an author wrote: a refusal before says nothing about one that comes later. */
export async function noteGiven(
  tx: Transaction,
  { workspaceId, uuid }: { workspaceId: string; uuid: string },
): Promise<void> {
  await tx.execute(sql`
    update workspace_authors set refused_at = null
    where workspace_id = ${workspaceId} and author_uuid = ${uuid} and refused_at is not null`);
}

/**
 * Bitbucket does not show what an author wrote. True: nor did it an hour ago and longer, so that nobody asks again until
 * the author is met again.
 */
export async function noteRefused(
  tx: Transaction,
  { workspaceId, uuid }: { workspaceId: string; uuid: string },
): Promise<boolean> {
  const gone = await tx.execute(sql`
    delete from workspace_authors
    where workspace_id = ${workspaceId} and author_uuid = ${uuid}
      and refused_at < clock_timestamp() - interval '1 hour'
    returning author_uuid`);
  if (gone.length > 0) return true;
  await tx.execute(sql`
    update workspace_authors set refused_at = clock_timestamp()
    where workspace_id = ${workspaceId} and author_uuid = ${uuid} and refused_at is null`);
  return false;
}
