import { sql } from 'drizzle-orm';
import type { CommitsSource } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';
import type { RepositoryScope } from './upsert.ts';

export interface MergeToLink {
  number: number;
  /** the whole hash; Bitbucket gives 12 digits */
  merge: string;
  parents: number;
  /** the merge commit is the tip of the source itself */
  isSource: boolean;
}

/**
 * Merged pull requests above `after` whose merge commit is stored, by number: those without links yet, or `all`. One
 * whose short hash fits two commits is left out.
 */
export async function mergesToLink(
  tx: Transaction,
  scope: RepositoryScope,
  { all, after, limit }: { all: boolean; after: number; limit: number },
): Promise<MergeToLink[]> {
  return tx.execute<MergeToLink & Record<string, unknown>>(sql`
    select p.number, min(c.hash) as merge, min(cardinality(c.parent_hashes)) as parents,
      bool_and(coalesce(p.source_hash <> '' and starts_with(c.hash, p.source_hash), false)) as "isSource"
    from pull_requests p
    join lateral (
      select m.hash, m.parent_hashes from commits m
      where m.organization_id = ${scope.organizationId} and m.repository_id = ${scope.repositoryId}
        and m.hash >= p.merge_hash and m.hash < p.merge_hash || 'g' limit 2
    ) c on true
    where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
      and p.number > ${after} and p.state = 'MERGED' and p.merge_hash ~ '^[0-9a-f]{7,40}$'
      and (${all} or p.commits_source is null)
    group by p.number having count(*) = 1
    order by p.number limit ${limit}`);
}

/** A page of the repository's commits with their parents, by hash. */
export async function commitParentsAfter(
  tx: Transaction,
  scope: RepositoryScope,
  { after, limit }: { after: string; limit: number },
): Promise<{ hash: string; parents: string[] }[]> {
  return tx.execute<{ hash: string; parents: string[] }>(sql`
    select hash, parent_hashes as parents from commits
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId} and hash > ${after}
    order by hash limit ${limit}`);
}

export interface PullRequestLinks {
  number: number;
  source: CommitsSource;
  hashes: readonly string[];
}

/** Makes the links of these pull requests what is given; writes only what differs. Returns how many links were added. */
export async function storeLinks(
  tx: Transaction,
  scope: RepositoryScope,
  links: readonly PullRequestLinks[],
): Promise<number> {
  await joinByHash(tx);
  const [row] = await tx.execute<{ added: number }>(sql`
    with input as materialized (
      select number, source, hashes
      from jsonb_to_recordset(${JSON.stringify(links)}::jsonb) as r(number integer, source text, hashes jsonb)
    ), wanted as materialized (
      select i.number, i.source, h.hash from input i, lateral jsonb_array_elements_text(i.hashes) as h(hash)
    ), gone as (
      delete from pull_request_commits l using input i
      where l.organization_id = ${scope.organizationId} and l.repository_id = ${scope.repositoryId}
        and l.pull_request_number = i.number
        and not exists (
          select 1 from wanted w
          where w.number = l.pull_request_number and w.hash = l.commit_hash and w.source = l.source)
    ), added as (
      insert into pull_request_commits (organization_id, repository_id, pull_request_number, commit_hash, source)
      select ${scope.organizationId}::uuid, ${scope.repositoryId}::uuid, w.number, w.hash, w.source
      from wanted w left join pull_request_commits l
        on l.organization_id = ${scope.organizationId} and l.repository_id = ${scope.repositoryId}
        and l.pull_request_number = w.number and l.commit_hash = w.hash
      where l.commit_hash is null or l.source <> w.source
      order by w.number, w.hash
      on conflict (organization_id, repository_id, pull_request_number, commit_hash) do update
        set source = excluded.source
      returning 1
    ), marked as (
      update pull_requests p set commits_source = i.source from input i
      where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
        and p.number = i.number and p.commits_source is distinct from i.source
    )
    select count(*)::int as added from added`);
  return row?.added ?? 0;
}
