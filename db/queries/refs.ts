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

type RefTable = 'branches' | 'tags';

interface SeenNames extends Snapshot {
  names: readonly string[];
}

const ofRepository = ({ organizationId, repositoryId }: Pick<Snapshot, 'organizationId' | 'repositoryId'>) =>
  sql`t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid`;

const oneOf = (names: readonly string[]) =>
  sql`t.name in (select jsonb_array_elements_text(${JSON.stringify(names)}::jsonb))`;

/**
 * Removes branches or tags that have none of these names and were stored before the look that did not show them. For what
 * shows all refs of one moment, as git does.
 */
async function removeOtherRefs(tx: Transaction, table: RefTable, seen: SeenNames): Promise<void> {
  await tx.execute(sql`
    with shown as (
      update ${sql.identifier(table)} t set missing_since = null
      where ${ofRepository(seen)} and t.missing_since is not null and ${oneOf(seen.names)})
    delete from ${sql.identifier(table)} t
    where ${ofRepository(seen)} and t.observed_at <= ${seen.observedAt}::timestamptz and not ${oneOf(seen.names)}`);
}

/** Names that cannot be asked for by an address: text that Postgres refuses (`db/text.ts`), and steps of a path. */
const NO_ADDRESS = String.raw`\x1a|(^|/)\.{1,2}(/|$)`;

/**
 * Names of stored branches or tags that a list lacks and that are not known to be gone, at most `limit`: those that no
 * list lacked before first. Without names that cannot be looked up.
 */
export async function missingRefs(
  tx: Transaction,
  table: RefTable,
  list: SeenNames & { gone: readonly string[] },
  limit: number,
): Promise<string[]> {
  const rows = await tx.execute<{ name: string }>(sql`
    select t.name from ${sql.identifier(table)} t
    where ${ofRepository(list)} and t.observed_at <= ${list.observedAt}::timestamptz
      and not ${oneOf([...list.names, ...list.gone])}
      and t.name !~ ${NO_ADDRESS}
    order by t.missing_since nulls first, t.name limit ${limit}`);
  return rows.map(({ name }) => name);
}

/**
 * What a list of branches or tags says of those stored before it. `gone` are removed, and those that an earlier list
 * lacked `apartMs` before this one began; what it lacks besides is remembered. `apartMs: null`: a list that is not believed,
 * which removes and remembers nothing else. What it shows is missing no more.
 */
export async function settleListedRefs(
  tx: Transaction,
  table: RefTable,
  list: SeenNames & { gone: readonly string[]; apartMs: number | null },
): Promise<void> {
  const { names, gone, observedAt, apartMs } = list;
  await tx.execute(sql`
    delete from ${sql.identifier(table)} t
    where ${ofRepository(list)} and t.observed_at <= ${observedAt}::timestamptz and not ${oneOf(names)}
      and (${oneOf(gone)} or t.missing_since
        <= ${observedAt}::timestamptz - make_interval(secs => ${apartMs}::float8 / 1000))`);
  await tx.execute(sql`
    update ${sql.identifier(table)} t
    set missing_since = case when t.missing_since is null then clock_timestamp() end
    where ${ofRepository(list)} and (t.missing_since is null) = (not ${oneOf(names)})
      and (t.missing_since is not null or (${apartMs}::float8 is not null
        and t.observed_at <= ${observedAt}::timestamptz))`);
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

/** Branches and tags that are stored; `unlisted`: those of them that the last list lacked. */
export async function countRefs(
  tx: Transaction,
  scope: Pick<Snapshot, 'organizationId' | 'repositoryId'>,
): Promise<{ rows: number; unlisted: number }> {
  const [row] = await tx.execute<{ rows: number; unlisted: number }>(sql`
    select count(*)::int as rows, count(missing_since)::int as unlisted from (
      select t.missing_since from branches t where ${ofRepository(scope)}
      union all select t.missing_since from tags t where ${ofRepository(scope)}) refs`);
  return row ?? { rows: 0, unlisted: 0 };
}
