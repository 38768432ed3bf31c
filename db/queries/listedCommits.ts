import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import type { RepositoryScope, Row } from './upsert.ts';

/**
 * Stores commits as the API lists them: without line counts and files. Returns how many were new or changed. A row that
 * git told (it has counts) stays as it is; one of the API's is mended where it differs, since a commit never changes.
 * Hashes must be unique within `rows`.
 */
export async function upsertListedCommits(
  tx: Transaction,
  { organizationId, repositoryId }: RepositoryScope,
  rows: readonly Row[],
): Promise<number> {
  if (rows.length === 0) return 0;
  const [row] = await tx.execute<{ written: number }>(sql`
    with written as (
      insert into commits as t (
        organization_id, repository_id, hash, parent_hashes, author_name, author_email, authored_at, author_zone,
        committer_name, committer_email, committed_at, committer_zone, message)
      select ${organizationId}::uuid, ${repositoryId}::uuid, c.hash, c.parent_hashes, c.author_name, c.author_email,
        c.authored_at, '', c.committer_name, c.committer_email, c.authored_at, '', c.message
      from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as c (
        hash text, parent_hashes text[], author_name text, author_email text, authored_at timestamptz,
        committer_name text, committer_email text, message text)
      order by c.hash
      on conflict (organization_id, repository_id, hash) do update set
        parent_hashes = excluded.parent_hashes,
        author_name = excluded.author_name, author_email = excluded.author_email, authored_at = excluded.authored_at,
        committer_name = excluded.committer_name, committer_email = excluded.committer_email,
        committed_at = excluded.committed_at, message = excluded.message
      where t.files_changed is null
        and (t.parent_hashes, t.author_name, t.author_email, t.authored_at, t.committer_name, t.committer_email,
          t.message)
        is distinct from (excluded.parent_hashes, excluded.author_name, excluded.author_email, excluded.authored_at,
          excluded.committer_name, excluded.committer_email, excluded.message)
      returning 1)
    select count(*)::int as written from written`);
  return row?.written ?? 0;
}

export interface CommitsStand {
  /** commits that are stored */
  rows: number;
  /** hashes that a branch, a tag or a stored commit's parents name, neither stored nor in quarantine */
  missing: string[];
  /** those of them that a branch or a tag names */
  missingHeads: string[];
}

/** Whether everything is stored that branches and tags lead to: then nothing that is named is missing. */
export async function readCommitsStand(
  tx: Transaction,
  { organizationId, repositoryId }: RepositoryScope,
): Promise<CommitsStand> {
  const own = sql`organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid`;
  const [row] = await tx.execute<{ rows: number; missing: string[]; missingHeads: string[] }>(sql`
    with stored as materialized (select hash, parent_hashes from commits where ${own}),
    heads as materialized (
      select target_hash as hash from branches where ${own} union all select target_hash from tags where ${own}),
    missing as materialized (
      (select hash from heads union all select unnest(parent_hashes) from stored)
      except select hash from stored
      except select record_key from quarantine where ${own} and stream = 'commits')
    select (select count(*)::int from stored) as rows,
      (select coalesce(array_agg(hash order by hash), '{}') from missing) as missing,
      (select coalesce(array_agg(hash order by hash), '{}') from missing where hash in (select hash from heads)) as "missingHeads"`);
  return row ?? { rows: 0, missing: [], missingHeads: [] };
}

/** The stored commits that branches and tags lead to, each once. */
export async function readStoredHeads(
  tx: Transaction,
  { organizationId, repositoryId }: RepositoryScope,
): Promise<string[]> {
  const own = sql`organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid`;
  const rows = await tx.execute<{ hash: string }>(sql`
    select target_hash as hash from (
      select target_hash from branches where ${own} union select target_hash from tags where ${own}) heads
    where exists (select from commits where ${own} and hash = target_hash)
    order by target_hash`);
  return rows.map(({ hash }) => hash);
}
