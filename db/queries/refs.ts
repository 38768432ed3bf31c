import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** All text is escaped already (`db/text.ts`). */
export interface BranchRow {
  name: string;
  target_hash: string;
}

export interface TagRow extends BranchRow {
  annotated: boolean;
  message: string | null;
  tagger_name: string | null;
  tagger_email: string | null;
  tagged_at: string | null;
}

interface Snapshot {
  organizationId: string;
  repositoryId: string;
  /** Postgres' clock when the refs were asked for */
  observedAt: string;
}

/** Makes the stored branches those of the snapshot: removes what is gone, writes what is new or moved. */
export async function replaceBranches(
  tx: Transaction,
  { organizationId, repositoryId, observedAt, branches }: Snapshot & { branches: readonly BranchRow[] },
): Promise<void> {
  const rows = JSON.stringify(branches);
  await tx.execute(sql`
    delete from branches t
    where t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid
      and t.observed_at <= ${observedAt}::timestamptz
      and t.name not in (select b.name from json_to_recordset(${rows}::json) as b (name text))`);
  await tx.execute(sql`
    insert into branches as t (organization_id, repository_id, name, target_hash, observed_at)
    select ${organizationId}::uuid, ${repositoryId}::uuid, b.name, b.target_hash, ${observedAt}::timestamptz
    from json_to_recordset(${rows}::json) as b (name text, target_hash text)
    order by b.name
    on conflict (organization_id, repository_id, name) do update set
      target_hash = excluded.target_hash, observed_at = excluded.observed_at
    where t.target_hash is distinct from excluded.target_hash and excluded.observed_at >= t.observed_at`);
}

/** The same for tags. */
export async function replaceTags(
  tx: Transaction,
  { organizationId, repositoryId, observedAt, tags }: Snapshot & { tags: readonly TagRow[] },
): Promise<void> {
  const rows = JSON.stringify(tags);
  await tx.execute(sql`
    delete from tags t
    where t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid
      and t.observed_at <= ${observedAt}::timestamptz
      and t.name not in (select r.name from json_to_recordset(${rows}::json) as r (name text))`);
  await tx.execute(sql`
    insert into tags as t (
      organization_id, repository_id, name, target_hash, annotated, message, tagger_name, tagger_email, tagged_at,
      observed_at)
    select ${organizationId}::uuid, ${repositoryId}::uuid, r.name, r.target_hash, r.annotated, r.message, r.tagger_name,
      r.tagger_email, r.tagged_at, ${observedAt}::timestamptz
    from json_to_recordset(${rows}::json) as r (
      name text, target_hash text, annotated boolean, message text, tagger_name text, tagger_email text,
      tagged_at timestamptz)
    order by r.name
    on conflict (organization_id, repository_id, name) do update set
      target_hash = excluded.target_hash, annotated = excluded.annotated, message = excluded.message,
      tagger_name = excluded.tagger_name, tagger_email = excluded.tagger_email, tagged_at = excluded.tagged_at,
      observed_at = excluded.observed_at
    where (t.target_hash, t.annotated, t.message, t.tagger_name, t.tagger_email, t.tagged_at)
        is distinct from (excluded.target_hash, excluded.annotated, excluded.message, excluded.tagger_name,
          excluded.tagger_email, excluded.tagged_at)
      and excluded.observed_at >= t.observed_at`);
}

/** Branches and tags that are stored. */
export async function countRefs(
  tx: Transaction,
  { organizationId, repositoryId }: Pick<Snapshot, 'organizationId' | 'repositoryId'>,
): Promise<number> {
  const [row] = await tx.execute<{ count: number }>(sql`
    select ((select count(*) from branches
        where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid)
      + (select count(*) from tags
        where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid))::int as count`);
  return row?.count ?? 0;
}
