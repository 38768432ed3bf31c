import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

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

/**
 * Stores commits. A commit never changes, so a row that is there is written again only where it differs
 * (metadata that came without line counts, or a repair).
 */
export async function upsertCommits(
  tx: Transaction,
  { organizationId, repositoryId, commits }: OfRepository & { commits: readonly CommitRow[] },
): Promise<void> {
  if (commits.length === 0) return;
  await tx.execute(sql`
    insert into commits as t (
      organization_id, repository_id, hash, parent_hashes, author_name, author_email, authored_at, author_zone,
      committer_name, committer_email, committed_at, committer_zone, message, raw_bytes,
      lines_added, lines_removed, files_changed)
    select ${organizationId}::uuid, ${repositoryId}::uuid, c.hash, c.parent_hashes, c.author_name, c.author_email,
      c.authored_at, c.author_zone, c.committer_name, c.committer_email, c.committed_at, c.committer_zone, c.message,
      decode(c.raw_bytes, 'hex'), c.lines_added, c.lines_removed, c.files_changed
    from json_to_recordset(${JSON.stringify(commits)}::json) as c (
      hash text, parent_hashes text[], author_name text, author_email text, authored_at timestamptz, author_zone text,
      committer_name text, committer_email text, committed_at timestamptz, committer_zone text, message text,
      raw_bytes text, lines_added bigint, lines_removed bigint, files_changed integer)
    order by c.hash
    on conflict (organization_id, repository_id, hash) do update set
      parent_hashes = excluded.parent_hashes,
      author_name = excluded.author_name, author_email = excluded.author_email,
      authored_at = excluded.authored_at, author_zone = excluded.author_zone,
      committer_name = excluded.committer_name, committer_email = excluded.committer_email,
      committed_at = excluded.committed_at, committer_zone = excluded.committer_zone,
      message = excluded.message, raw_bytes = excluded.raw_bytes,
      lines_added = excluded.lines_added, lines_removed = excluded.lines_removed,
      files_changed = excluded.files_changed
    where (t.parent_hashes, t.author_name, t.author_email, t.authored_at, t.author_zone, t.committer_name,
        t.committer_email, t.committed_at, t.committer_zone, t.message, t.raw_bytes, t.lines_added, t.lines_removed,
        t.files_changed)
      is distinct from (excluded.parent_hashes, excluded.author_name, excluded.author_email, excluded.authored_at,
        excluded.author_zone, excluded.committer_name, excluded.committer_email, excluded.committed_at,
        excluded.committer_zone, excluded.message, excluded.raw_bytes, excluded.lines_added, excluded.lines_removed,
        excluded.files_changed)`);
}

/** Stores the files of commits that are stored already. */
export async function upsertCommitFiles(
  tx: Transaction,
  { organizationId, repositoryId, files }: OfRepository & { files: readonly CommitFileRow[] },
): Promise<void> {
  if (files.length === 0) return;
  await tx.execute(sql`
    insert into commit_files as t (
      organization_id, repository_id, commit_hash, place, path, old_path, lines_added, lines_removed)
    select ${organizationId}::uuid, ${repositoryId}::uuid, f.commit_hash, f.place, f.path, f.old_path,
      f.lines_added, f.lines_removed
    from json_to_recordset(${JSON.stringify(files)}::json) as f (
      commit_hash text, place integer, path text, old_path text, lines_added integer, lines_removed integer)
    order by f.commit_hash, f.place
    on conflict (organization_id, repository_id, commit_hash, place) do update set
      path = excluded.path, old_path = excluded.old_path,
      lines_added = excluded.lines_added, lines_removed = excluded.lines_removed
    where (t.path, t.old_path, t.lines_added, t.lines_removed)
      is distinct from (excluded.path, excluded.old_path, excluded.lines_added, excluded.lines_removed)`);
}

/** A repair: removes files beyond those that these commits change. */
export async function removeSurplusCommitFiles(
  tx: Transaction,
  { organizationId, repositoryId, commits }: OfRepository & { commits: readonly CommitRow[] },
): Promise<void> {
  const counts = commits.map(({ hash, files_changed }) => ({ hash, files_changed }));
  await tx.execute(sql`
    delete from commit_files t
    using json_to_recordset(${JSON.stringify(counts)}::json) as c (hash text, files_changed integer)
    where t.organization_id = ${organizationId}::uuid and t.repository_id = ${repositoryId}::uuid
      and t.commit_hash = c.hash and t.place >= c.files_changed`);
}

/**
 * Commits that must be stored and are not: those that `heads` or a stored commit's parents name. None, and everything
 * that the heads lead to is stored. `except` sorts or hashes, however badly a table without statistics is estimated.
 */
export async function countMissingCommits(
  tx: Transaction,
  { organizationId, repositoryId, heads }: OfRepository & { heads: readonly string[] },
): Promise<{ named: number; rows: number }> {
  const [row] = await tx.execute<{ named: number; rows: number }>(sql`
    with stored as materialized (
      select hash, parent_hashes from commits
      where organization_id = ${organizationId}::uuid and repository_id = ${repositoryId}::uuid
    )
    select (select count(*)::float8 from stored) as rows, (
      select count(*)::float8 from (
        (select jsonb_array_elements_text(${JSON.stringify(heads)}::jsonb) union all select unnest(parent_hashes) from stored)
        except select hash from stored) missing) as named`);
  return row ?? { named: 0, rows: 0 };
}
