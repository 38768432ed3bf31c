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
    select w.id as "workspaceId", w.slug, min(l.asked_at) as "askedAt",
      count(*) filter (where l.asked_at is not null)::int as vanished, count(*)::int as known,
      (array_agg(r.full_name order by r.full_name) filter (where l.asked_at is not null))[:${EXAMPLES}::int] as examples
    from integration_repositories l
    join repositories r on r.organization_id = l.organization_id and r.id = l.repository_id
    join workspaces w on w.organization_id = r.organization_id and w.id = r.workspace_id
    where l.integration_id = ${integrationId} and l.presence = 'present'
      and exists (select from integration_repositories asked where asked.integration_id = l.integration_id
        and asked.missing_since is not null and asked.asked_at is not null)
    group by w.id, w.slug having count(l.asked_at) > 0 order by w.slug, w.id`);
}
