import { type SQL, sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** Commits that no branch or tag leads to any more are marked, and stay: pull requests and people speak of them. */
interface OfRepository {
  organizationId: string;
  repositoryId: string;
}

/**
 * Marks those of the candidates that no head leads to; those that are marked already keep their time. All that became
 * unreachable must be among them, and everything that the heads lead to must be stored and unmarked. Git lists more than
 * that: `rev-list A --not B` stops early where commits are dated before their ancestors, and gives some that B leads to
 * (`still_interesting` in its revision.c). So a candidate is spared that is a head, or that is a parent of a commit which
 * is no candidate and not marked, with all candidates that it leads to.
 */
export async function markCommitsUnreachable(
  tx: Transaction,
  {
    organizationId,
    repositoryId,
    candidates,
    heads,
  }: OfRepository & { candidates: readonly string[]; heads: readonly string[] },
): Promise<void> {
  if (candidates.length === 0) return;
  await tx.execute(sql`
    with recursive candidates as materialized (
      select jsonb_array_elements_text(${JSON.stringify(candidates)}::jsonb) as hash
    ), others as materialized (
      select c.parent_hashes from commits c
      where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
        and c.unreachable_since is null and c.hash not in (select hash from candidates)
    ), spared (hash) as (
      select hash from candidates where hash in (
        select jsonb_array_elements_text(${JSON.stringify(heads)}::jsonb)
        union all select unnest(parent_hashes) from others where parent_hashes <> '{}')
      union
      select parent.hash from spared s
      join commits c on c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
        and c.hash = s.hash
      cross join lateral unnest(c.parent_hashes) parent (hash)
      where parent.hash in (select hash from candidates)
    )
    update commits c set unreachable_since = clock_timestamp()
    from candidates u
    where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
      and c.hash = u.hash and c.unreachable_since is null
      and u.hash not in (select hash from spared)`);
}

/**
 * What these hashes lead to by the parents that are stored, themselves among them, as `reachable (hash)`.
 * `offset 0` has each commit looked up by its key: a join that is planned as a hash would be built anew for each generation.
 */
const reachableFrom = ({ organizationId, repositoryId }: OfRepository, hashes: SQL): SQL => sql`
    reachable (hash) as (
      ${hashes}
      union
      select unnest(p.parent_hashes) from reachable r cross join lateral (
        select c.parent_hashes from commits c
        where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
          and c.hash = r.hash offset 0) p
    )`;

/** Those of the hashes that a branch or tag leads to, whatever is marked. */
export async function readReachable(
  tx: Transaction,
  { organizationId, repositoryId }: OfRepository,
  hashes: readonly string[],
): Promise<string[]> {
  if (hashes.length === 0) return [];
  const own = sql`organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid`;
  const heads = sql`select target_hash from branches where ${own} union select target_hash from tags where ${own}`;
  const rows = await tx.execute<{ hash: string }>(sql`
    with recursive ${reachableFrom({ organizationId, repositoryId }, heads)}
    select hash from reachable
    where hash in (select jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb))`);
  return rows.map(({ hash }) => hash);
}

/**
 * Marks what these heads do not lead to, and takes the mark from what they do: by the parents that are stored. `isCut`:
 * the way may lead over a commit that is not stored, so what is not reached is not marked.
 */
export async function markByHeads(
  tx: Transaction,
  {
    organizationId,
    repositoryId,
    heads,
    isCut = false,
  }: OfRepository & { heads: readonly string[]; isCut?: boolean },
): Promise<void> {
  const named = sql`select jsonb_array_elements_text(${JSON.stringify(heads)}::jsonb)`;
  await tx.execute(sql`
    with recursive ${reachableFrom({ organizationId, repositoryId }, named)}
    update commits c set unreachable_since = case when c.unreachable_since is null then clock_timestamp() end
    where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
      and (not ${isCut} or c.unreachable_since is not null)
      and (c.unreachable_since is null) = (c.hash not in (select hash from reachable where hash is not null))`);
}

/** Whether a commit of the repository is marked. */
export async function hasUnreachable(
  tx: Transaction,
  { organizationId, repositoryId }: OfRepository,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from commits where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid
      and unreachable_since is not null limit 1`);
  return rows.length > 0;
}

/** Whether a commit is in quarantine that is not stored: nobody knows what it leads to. */
export async function hidesCommits(
  tx: Transaction,
  { organizationId, repositoryId }: OfRepository,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from quarantine q
    where q.organization_id = ${organizationId}::uuid and q.repository_id = ${repositoryId}::uuid
      and q.stream = 'commits' and not exists (
        select 1 from commits c where c.organization_id = q.organization_id
          and c.repository_id = q.repository_id and c.hash = q.record_key)
    limit 1`);
  return rows.length > 0;
}
