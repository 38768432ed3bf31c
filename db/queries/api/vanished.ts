import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';

/** What vanished from one workspace together, so that a person is asked. */
export interface VanishedRow extends Record<string, unknown> {
  workspaceId: string;
  slug: string;
  askedAt: string;
  /** how many are asked about, of how many that were there */
  vanished: number;
  known: number;
  /** the first of them, by name */
  examples: string[];
}

const EXAMPLES = 20;

/** What a person is asked about in an integration, by workspace. */
export async function readVanished(tx: Transaction, integrationId: string): Promise<VanishedRow[]> {
  return tx.execute<VanishedRow>(sql`
    with asked as materialized (
      select l.organization_id, r.workspace_id, min(l.asked_at) as asked_at, count(*)::int as vanished,
        (array_agg(r.full_name order by r.full_name))[:${EXAMPLES}::int] as examples
      from integration_repositories l
      join repositories r on r.organization_id = l.organization_id and r.id = l.repository_id
      where l.integration_id = ${integrationId} and l.presence = 'present' and l.missing_since is not null
        and l.asked_at is not null
      group by l.organization_id, r.workspace_id
    )
    select w.id as "workspaceId", w.slug, asked.asked_at as "askedAt", asked.vanished, asked.examples, (
        select count(*)::int from repositories r
        join integration_repositories l on l.organization_id = r.organization_id and l.repository_id = r.id
        where r.organization_id = asked.organization_id and r.workspace_id = asked.workspace_id
          and l.integration_id = ${integrationId} and l.presence = 'present') as known
    from asked join workspaces w on w.organization_id = asked.organization_id and w.id = asked.workspace_id
    order by w.slug, w.id`);
}
