import { sql } from 'drizzle-orm';
import type { ImportKind } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

/** What git work needs to know of a repository. */
export interface GitTarget {
  fullName: string;
  providerUuid: string;
  /** as Bitbucket says; git packs may differ a little */
  sizeBytes: number | null;
  /** Postgres' clock: what is read after this is at least so new */
  observedAt: string;
  /** a sync goes before imports */
  kind: ImportKind;
}

/** Undefined: the repository is gone. */
export async function readGitTarget(
  tx: Transaction,
  { repositoryId, importId }: { repositoryId: string; importId: string },
): Promise<GitTarget | undefined> {
  const [row] = await tx.execute<GitTarget & Record<string, unknown>>(sql`
    select full_name as "fullName", provider_uuid as "providerUuid", size_bytes::float8 as "sizeBytes", clock_timestamp()::text as "observedAt",
      coalesce((select kind from imports where id = ${importId}::uuid), 'import') as kind
    from repositories
    where id = ${repositoryId}::uuid`);
  return row;
}
