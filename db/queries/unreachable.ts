import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** Commits that no branch or tag leads to any more are marked, and stay: pull requests and people speak of them. */
interface OfRepository {
  organizationId: string;
  repositoryId: string;
}

/** Marks these; those that are marked already keep their time. */
export async function markCommitsUnreachable(
  tx: Transaction,
  { organizationId, repositoryId, hashes }: OfRepository & { hashes: readonly string[] },
): Promise<void> {
  if (hashes.length === 0) return;
  await tx.execute(sql`
    update commits c set unreachable_since = clock_timestamp()
    from jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb) as u (hash)
    where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
      and c.hash = u.hash and c.unreachable_since is null`);
}

/** Marks what these heads do not lead to, and takes the mark from what they do: by the parents that are stored. */
export async function markByHeads(
  tx: Transaction,
  { organizationId, repositoryId, heads }: OfRepository & { heads: readonly string[] },
): Promise<void> {
  await tx.execute(sql`
    with recursive reachable (hash) as (
      select jsonb_array_elements_text(${JSON.stringify(heads)}::jsonb)
      union
      select unnest(c.parent_hashes) from reachable r
      join commits c on c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
        and c.hash = r.hash
    )
    update commits c set unreachable_since = case when c.unreachable_since is null then clock_timestamp() end
    where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid
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
