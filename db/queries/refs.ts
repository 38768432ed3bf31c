import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { createUpsert, type Row } from './upsert.ts';

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

/** Removes branches or tags that have none of these names and were stored before the look that did not show them. */
export async function removeOtherRefs(
  tx: Transaction,
  table: 'branches' | 'tags',
  { organizationId, repositoryId, observedAt, names }: Snapshot & { names: readonly string[] },
): Promise<void> {
  await tx.execute(sql`
    delete from ${sql.identifier(table)} t
    where t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid
      and t.observed_at <= ${observedAt}::timestamptz
      and t.name not in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`);
}

/** Writes branches of a page of the list; returns how many were new or moved. */
export const upsertBranches = createUpsert({
  name: 'branches',
  key: { name: 'text' },
  content: { target_hash: 'text' },
  newer: ['observed_at'],
});

/** The same for tags. */
export const upsertTags = createUpsert({
  name: 'tags',
  key: { name: 'text' },
  content: {
    target_hash: 'text',
    annotated: 'boolean',
    message: 'text',
    tagger_name: 'text',
    tagger_email: 'text',
    tagged_at: 'timestamptz',
  },
  newer: ['observed_at'],
});

/** Makes the stored branches those of the snapshot: removes what is gone, writes what is new or moved. */
export async function replaceBranches(
  tx: Transaction,
  { branches, ...snapshot }: Snapshot & { branches: readonly BranchRow[] },
): Promise<void> {
  await removeOtherRefs(tx, 'branches', { ...snapshot, names: branches.map(({ name }) => name) });
  await upsertBranches(tx, snapshot, observed(branches, snapshot));
}

/** The same for tags. */
export async function replaceTags(
  tx: Transaction,
  { tags, ...snapshot }: Snapshot & { tags: readonly TagRow[] },
): Promise<void> {
  await removeOtherRefs(tx, 'tags', { ...snapshot, names: tags.map(({ name }) => name) });
  await upsertTags(tx, snapshot, observed(tags, snapshot));
}

const observed = (rows: readonly BranchRow[], { observedAt }: Snapshot): Row[] =>
  rows.map((row) => ({ ...row, observed_at: observedAt }));

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
