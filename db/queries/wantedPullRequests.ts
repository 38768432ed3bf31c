import { sql } from 'drizzle-orm';
import type { WantedPart } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import type { RepositoryScope } from './upsert.ts';

/** Pull requests of which a delivery told what no list need show. Every function runs inside a transaction of the tenant. */

export interface Wanted extends Record<string, unknown> {
  number: number;
  /** when it was asked for last, as Postgres writes it: asked for again meanwhile, it is another one */
  askedAt: string;
}

/** Asks for these; what is asked for already is asked for again, since an answer may be under way. */
export async function askPullRequests(
  tx: Transaction,
  organizationId: string,
  asked: readonly { repositoryId: string; number: number; part: WantedPart }[],
): Promise<void> {
  if (asked.length === 0) return;
  const rows = asked.map(({ repositoryId, number, part }) => ({ repository_id: repositoryId, number, part }));
  await tx.execute(sql`
    insert into wanted_pull_requests as w (organization_id, repository_id, number, part)
    select distinct on (k.repository_id, k.number, k.part) r.organization_id, r.id, k.number, k.part
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as k (repository_id uuid, number integer, part text)
    join repositories r on r.organization_id = ${organizationId} and r.id = k.repository_id
    order by k.repository_id, k.number, k.part
    on conflict (organization_id, repository_id, number, part) do update set asked_at = excluded.asked_at`);
}

/** All that are wanted of a repository, by number. */
export async function readWanted(
  tx: Transaction,
  scope: RepositoryScope,
  part: WantedPart,
): Promise<Wanted[]> {
  return tx.execute<Wanted>(sql`
    select number, asked_at::text as "askedAt" from wanted_pull_requests
    where organization_id = ${scope.organizationId} and repository_id = ${scope.repositoryId} and part = ${part}
    order by number`);
}

const those = (wanted: readonly Wanted[]) => sql`
  jsonb_to_recordset(${JSON.stringify(wanted)}::jsonb) as k (number integer, "askedAt" timestamptz)`;

/** The first of `wanted` by number that still are, and whose pull requests are stored. */
export async function firstStillWanted(
  tx: Transaction,
  scope: RepositoryScope,
  of: { part: WantedPart; wanted: readonly Wanted[]; limit: number },
): Promise<Wanted[]> {
  return tx.execute<Wanted>(sql`
    select w.number, w.asked_at::text as "askedAt" from ${those(of.wanted)}
    join wanted_pull_requests w on w.number = k.number and w.asked_at = k."askedAt"
    join pull_requests p on p.organization_id = w.organization_id and p.repository_id = w.repository_id
      and p.number = w.number
    where w.organization_id = ${scope.organizationId} and w.repository_id = ${scope.repositoryId}
      and w.part = ${of.part}
    order by w.number limit ${of.limit}`);
}

/** Of what was asked for, the answer is stored. What is asked for again at this moment (it is locked) stays. */
export async function letGoWanted(
  tx: Transaction,
  scope: RepositoryScope,
  { part, wanted }: { part: WantedPart; wanted: readonly Wanted[] },
): Promise<void> {
  if (wanted.length === 0) return;
  await tx.execute(sql`
    with answered as materialized (
      select w.number from ${those(wanted)}
      join wanted_pull_requests w on w.number = k.number and w.asked_at = k."askedAt"
      where w.organization_id = ${scope.organizationId} and w.repository_id = ${scope.repositoryId}
        and w.part = ${part}
      for update of w skip locked
    )
    delete from wanted_pull_requests w using answered a
    where w.organization_id = ${scope.organizationId} and w.repository_id = ${scope.repositoryId}
      and w.part = ${part} and w.number = a.number`);
}

/** Behind the whole list: those that it did not show. Whoever finds them later finds them as they are then. */
export async function letGoUnknown(tx: Transaction, scope: RepositoryScope): Promise<void> {
  await tx.execute(sql`
    delete from wanted_pull_requests w
    where w.organization_id = ${scope.organizationId} and w.repository_id = ${scope.repositoryId}
      and not exists (
        select 1 from pull_requests p where p.organization_id = w.organization_id
          and p.repository_id = w.repository_id and p.number = w.number)`);
}
