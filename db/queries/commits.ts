import { sql, type SQL } from 'drizzle-orm';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';

/** One commit as it is stored; all text is escaped already (`db/text.ts`). */
export interface CommitRow {
  hash: string;
  parent_hashes: string[];
  author_name: string;
  author_email: string;
  authored_at: string | null;
  author_zone: string;
  committer_name: string;
  committer_email: string;
  committed_at: string | null;
  committer_zone: string;
  message: string;
  /** hex */
  raw_bytes: string | null;
  lines_added: number;
  lines_removed: number;
  files_changed: number;
}

export interface CommitFileRow {
  commit_hash: string;
  /** 0, 1, … in git's order */
  place: number;
  path: string;
  old_path: string | null;
  lines_added: number | null;
  lines_removed: number | null;
}

interface OfRepository {
  organizationId: string;
  repositoryId: string;
}

/** What a commit and its files say, behind their keys. */
const COMMIT_CONTENT = [
  'parent_hashes',
  'author_name',
  'author_email',
  'authored_at',
  'author_zone',
  'committer_name',
  'committer_email',
  'committed_at',
  'committer_zone',
  'message',
  'raw_bytes',
  'lines_added',
  'lines_removed',
  'files_changed',
];
const FILE_CONTENT = ['path', 'old_path', 'lines_added', 'lines_removed'];

const columns = (names: readonly string[], prefix = ''): SQL =>
  sql.raw(names.map((name) => `${prefix}${name}`).join(', '));

/** `… do update`: a row that is there is written again only where it differs. */
const setWhereDifferent = (content: readonly string[]): SQL => sql`
  do update set ${sql.raw(content.map((name) => `${name} = excluded.${name}`).join(', '))}
  where (${columns(content, 't.')}) is distinct from (${columns(content, 'excluded.')})`;

/** What is stored was just reached from a branch or a tag, also where it was out of reach before. */
const setReachable = sql`
  do update set ${sql.raw(COMMIT_CONTENT.map((name) => `${name} = excluded.${name}`).join(', '))},
    unreachable_since = null
  where (${columns(COMMIT_CONTENT, 't.')}, t.unreachable_since)
    is distinct from (${columns(COMMIT_CONTENT, 'excluded.')}, null)`;

/**
 * `mostlyThere`: looks before it writes, which leaves equal rows unlocked (`on conflict do update … where` locks them
 * and writes that down). By the key, in a subquery: see `upsertParts`. Rows that are new would only cost a look more.
 */
const isToWrite = (mostlyThere: boolean, content: readonly string[], stored: SQL): SQL =>
  mostlyThere
    ? sql`coalesce((select (${columns(content, 's.')}) is distinct from (${columns(content, 'i.')}) from ${stored}), true)`
    : sql`true`;

interface Storing extends OfRepository {
  /** these rows are probably stored as they are */
  mostlyThere: boolean;
}

/**
 * Stores commits. A commit never changes, so a row that is there is written again only where it differs
 * (metadata that came without line counts, or a repair).
 */
export async function upsertCommits(
  tx: Transaction,
  { organizationId, repositoryId, mostlyThere, commits }: Storing & { commits: readonly CommitRow[] },
): Promise<void> {
  if (commits.length === 0) return;
  const stored = sql`commits s where s.organization_id = ${organizationId}::uuid
    and s.repository_id = ${repositoryId}::uuid and s.hash = i.hash`;
  await tx.execute(sql`
    insert into commits as t (organization_id, repository_id, hash, ${columns(COMMIT_CONTENT)})
    select ${organizationId}::uuid, ${repositoryId}::uuid, i.hash, ${columns(COMMIT_CONTENT, 'i.')}
    from (
      select hash, parent_hashes, author_name, author_email, authored_at, author_zone, committer_name,
        committer_email, committed_at, committer_zone, message, decode(raw_bytes, 'hex') as raw_bytes,
        lines_added, lines_removed, files_changed
      from json_to_recordset(${JSON.stringify(commits)}::json) as c (
        hash text, parent_hashes text[], author_name text, author_email text, authored_at timestamptz, author_zone text,
        committer_name text, committer_email text, committed_at timestamptz, committer_zone text, message text,
        raw_bytes text, lines_added bigint, lines_removed bigint, files_changed integer)
    ) as i
    where ${isToWrite(mostlyThere, COMMIT_CONTENT, sql`${stored} and s.unreachable_since is null`)}
    order by i.hash
    on conflict (organization_id, repository_id, hash) ${setReachable}`);
}

/** Stores the files of commits that are stored already. */
export async function upsertCommitFiles(
  tx: Transaction,
  { organizationId, repositoryId, mostlyThere, files }: Storing & { files: readonly CommitFileRow[] },
): Promise<void> {
  if (files.length === 0) return;
  const stored = sql`commit_files s where s.organization_id = ${organizationId}::uuid
    and s.repository_id = ${repositoryId}::uuid and s.commit_hash = i.commit_hash and s.place = i.place`;
  await tx.execute(sql`
    insert into commit_files as t (organization_id, repository_id, commit_hash, place, ${columns(FILE_CONTENT)})
    select ${organizationId}::uuid, ${repositoryId}::uuid, i.commit_hash, i.place, ${columns(FILE_CONTENT, 'i.')}
    from json_to_recordset(${JSON.stringify(files)}::json) as i (
      commit_hash text, place integer, path text, old_path text, lines_added integer, lines_removed integer)
    where ${isToWrite(mostlyThere, FILE_CONTENT, stored)}
    order by i.commit_hash, i.place
    on conflict (organization_id, repository_id, commit_hash, place) ${setWhereDifferent(FILE_CONTENT)}`);
}

/**
 * A repair: removes files beyond those that these commits change. By the hashes of the page (`any (array …)`): a join
 * alone is planned to read the files of all commits for each page of 500.
 */
export async function removeSurplusCommitFiles(
  tx: Transaction,
  { organizationId, repositoryId, commits }: OfRepository & { commits: readonly CommitRow[] },
): Promise<void> {
  const counts = commits.map(({ hash, files_changed }) => ({ hash, files_changed }));
  await tx.execute(sql`
    with counted as materialized (
      select * from json_to_recordset(${JSON.stringify(counts)}::json) as c (hash text, files_changed integer)
    )
    delete from commit_files t using counted c
    where t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid
      and t.commit_hash = any (array(select hash from counted))
      and t.commit_hash = c.hash and t.place >= c.files_changed`);
}

/**
 * Commits that must be stored and are not: those that `heads` or the parents of a stored commit name. None, and everything
 * that the heads lead to is stored. A commit that is out of reach counts for nothing: its parents may be nowhere any more.
 * `except` sorts or hashes, however badly a table without statistics is estimated.
 */
export async function countMissingCommits(
  tx: Transaction,
  { organizationId, repositoryId, heads }: OfRepository & { heads: readonly string[] },
): Promise<{ named: number; rows: number }> {
  const [row] = await tx.execute<{ named: number; rows: number }>(sql`
    with stored as materialized (
      select hash, parent_hashes, unreachable_since is null as in_reach from commits
      where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid
    )
    select (select count(*)::float8 from stored where in_reach) as rows, (
      select count(*)::float8 from (
        (select jsonb_array_elements_text(${JSON.stringify(heads)}::jsonb)
          union all select unnest(parent_hashes) from stored where in_reach)
        except select hash from stored) missing) as named`);
  return row ?? { named: 0, rows: 0 };
}

export async function hasNoCommit(
  tx: Transaction,
  { organizationId, repositoryId }: OfRepository,
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select from commits
    where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid limit 1`);
  return rows.length === 0;
}

/**
 * What is stored of these commits (left out: of all of the repository) in one number, as text: the exclusive or of the
 * hashes of all commits, each with its files and whether it is marked as unreachable. '0': there is none. So what a page
 * changes is what it was before that page exclusive or what it is behind it.
 */
export async function digestOfCommits(
  tx: Transaction,
  { organizationId, repositoryId, hashes }: OfRepository & { hashes?: readonly string[] | undefined },
): Promise<string> {
  // All of them are read once each; a page goes by the key.
  if (hashes === undefined) await joinByHash(tx);
  const among = (column: string): SQL =>
    hashes === undefined
      ? sql``
      : sql`and ${sql.raw(column)} = any (array(select jsonb_array_elements_text(${JSON.stringify(hashes)}::jsonb)))`;
  const [row] = await tx.execute<{ digest: string }>(sql`
    with files as materialized (
      select commit_hash as hash, bit_xor(hash_record_extended(row(place, ${columns(FILE_CONTENT)}), 0)) as digest
      from commit_files
      where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid ${among('commit_hash')}
      group by commit_hash
    )
    select coalesce(bit_xor(hash_record_extended(
      row(c.hash, ${columns(COMMIT_CONTENT, 'c.')}, c.unreachable_since is null, f.digest), 0)), 0)::text as digest
    from commits c left join files f on f.hash = c.hash
    where c.organization_id = ${organizationId}::uuid and c.repository_id = ${repositoryId}::uuid ${among('c.hash')}`);
  return row?.digest ?? '0';
}
