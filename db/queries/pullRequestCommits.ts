import { sql } from 'drizzle-orm';
import type { CommitsSource } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { joinByHash } from './planning.ts';
import type { RepositoryScope } from './upsert.ts';

export interface MergedPullRequest {
  number: number;
  /** its merge commit; null: it is not stored, or its short hash fits two that are */
  merge: {
    /** the whole hash; Bitbucket gives 12 digits */
    hash: string;
    parents: number;
    /** the merge commit is the tip of the source itself */
    isSource: boolean;
  } | null;
}

/**
 * The next merged pull requests above `after`, by number: those without links yet, or `all`. Those whose merge commit is
 * not stored count in `limit`, so that a page reads no more than itself however many of them there are.
 */
export async function mergesToLink(
  tx: Transaction,
  scope: RepositoryScope,
  { all, after, limit }: { all: boolean; after: number; limit: number },
): Promise<MergedPullRequest[]> {
  return tx.execute<MergedPullRequest & Record<string, unknown>>(sql`
    with merged as materialized (
      select number, merge_hash, source_hash from pull_requests
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and number > ${after} and state = 'MERGED' and merge_hash ~ '^[0-9a-f]{7,40}$'
        and (${all} or commits_source is null)
      order by number limit ${limit}
    )
    select p.number, (
      select case when count(*) = 1 then jsonb_build_object('hash', min(c.hash),
        'parents', min(cardinality(c.parent_hashes)),
        'isSource', bool_and(coalesce(p.source_hash <> '' and starts_with(c.hash, p.source_hash), false))) end
      from (
        select m.hash, m.parent_hashes from commits m
        where m.organization_id = ${scope.organizationId} and m.repository_id = ${scope.repositoryId}
          and m.hash >= p.merge_hash and m.hash < p.merge_hash || 'g' limit 2
      ) c
    ) as merge
    from merged p order by p.number`);
}

/** Whether an import reads no pull requests in this repository although the integration has them on. */
export async function leavesLinksOut(
  tx: Transaction,
  scope: RepositoryScope & { integrationId: string; importId: string },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from integrations n
    where n.organization_id = ${scope.organizationId} and n.id = ${scope.integrationId}
      and 'pull_requests' = any (n.services)
      and not exists (
        select 1 from import_streams s
        where s.organization_id = n.organization_id and s.import_id = ${scope.importId}
          and s.repository_id = ${scope.repositoryId} and s.stream = 'pull_requests')`);
  return rows.length > 0;
}

/** Whether the commits were read to their end: no walk is in hand, and the last one missed nothing that it can bring. */
export async function isHistoryRead(tx: Transaction, scope: RepositoryScope): Promise<boolean> {
  const rows = await tx.execute(sql`
    select 1 from streams
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId} and stream = 'commits'
      and position is null and coalesce(memory -> 'listed', memory -> 'completed', '[]') <> '[]'`);
  return rows.length > 0;
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

/**
 * Makes the links of these pull requests what is given; writes only what differs. Returns how many links were added.
 * What is stored is read by the numbers of the page (`any (array …)`): a join with the tables themselves would go over all
 * links of the repository for each page of 500.
 */
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
    ), stored as materialized (
      select pull_request_number as number, commit_hash as hash, source from pull_request_commits
      where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId}
        and pull_request_number = any (array(select number from input))
    ), unwanted as materialized (
      select s.number, s.hash from stored s
      where not exists (select 1 from wanted w where w.number = s.number and w.hash = s.hash)
    ), gone as (
      delete from pull_request_commits l using unwanted u
      where l.organization_id = ${scope.organizationId} and l.repository_id = ${scope.repositoryId}
        and l.pull_request_number = any (array(select number from unwanted))
        and l.pull_request_number = u.number and l.commit_hash = u.hash
    ), added as (
      insert into pull_request_commits (organization_id, repository_id, pull_request_number, commit_hash, source)
      select ${scope.organizationId}::uuid, ${scope.repositoryId}::uuid, w.number, w.hash, w.source
      from wanted w left join stored s on s.number = w.number and s.hash = w.hash
      where s.hash is null or s.source <> w.source
      order by w.number, w.hash
      on conflict (organization_id, repository_id, pull_request_number, commit_hash) do update
        set source = excluded.source
      returning 1
    ), marked as (
      update pull_requests p set commits_source = i.source from input i
      where p.organization_id = ${scope.organizationId} and p.repository_id = ${scope.repositoryId}
        and p.number = any (array(select number from input))
        and p.number = i.number and p.commits_source is distinct from i.source
    )
    select count(*)::int as added from added`);
  return row?.added ?? 0;
}
