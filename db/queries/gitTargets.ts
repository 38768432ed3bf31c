import { sql } from 'drizzle-orm';
import type { Transaction } from '../client.ts';

/** What git work needs to know of a repository. */
export interface GitTarget {
  fullName: string;
  /** as Bitbucket says; git packs may differ a little */
  sizeBytes: number | null;
  /** Postgres' clock: what is read after this is at least so new */
  observedAt: string;
}

/** Undefined: the repository is gone. */
export async function readGitTarget(tx: Transaction, repositoryId: string): Promise<GitTarget | undefined> {
  const [row] = await tx.execute<{ full_name: string; size_bytes: number | null; observed_at: string }>(sql`
    select full_name, size_bytes::float8 as size_bytes, clock_timestamp()::text as observed_at
    from repositories
    where id = ${repositoryId}::uuid`);
  if (row === undefined) return undefined;
  return { fullName: row.full_name, sizeBytes: row.size_bytes, observedAt: row.observed_at };
}
