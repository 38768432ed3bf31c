import { sql } from 'drizzle-orm';
import type { Transaction } from '../../client.ts';
import { isoInstant as iso } from '../isoInstant.ts';
import { kept } from './keptRepositories.ts';
import type { OfIntegration, OfWorkspace } from './scope.ts';

/** How far the polls of each workspace have come. Every function runs inside a transaction of the tenant. */

/** How changed pull requests of a workspace are found. */
export type PollMethod = 'authors' | 'repositories';

/** Whether rounds may not ask by author in the workspace of polls `p`: some days behind the refusal it is tried again. */
const REFUSED_BY_AUTHOR = sql`coalesce(p.authors_refused_at > clock_timestamp() - interval '3 days', false)`;

export interface PolledWorkspace extends Record<string, unknown> {
  workspaceId: string;
  slug: string;
  providerUuid: string;
  /** what changed before this is known, ISO; null: nothing is */
  since: string | null;
  /** of the last round that found all; null: none, or it asked for no pull requests */
  method: PollMethod | null;
  /** its members were not listed for a day, and may be asked for what they wrote */
  membersDue: boolean;
}

/** The workspace itself, or the next one behind `after`, in the order of ids, with repositories to keep current. */
export async function readPolledWorkspace(
  tx: Transaction,
  input: OfIntegration & ({ workspaceId: string } | { after: string | null }),
): Promise<PolledWorkspace | undefined> {
  const which =
    'workspaceId' in input
      ? sql`w.id = ${input.workspaceId}`
      : input.after === null
        ? sql`true`
        : sql`w.id > ${input.after}::uuid`;
  const [row] = await tx.execute<PolledWorkspace>(sql`
    select w.id as "workspaceId", w.slug, w.provider_uuid as "providerUuid", ${iso(sql`p.since`)} as since,
      p.method, coalesce(p.members_read_at < clock_timestamp() - interval '1 day', true)
        and not ${REFUSED_BY_AUTHOR} as "membersDue"
    from workspaces w
    left join workspace_polls p on p.organization_id = w.organization_id and p.workspace_id = w.id
      and p.integration_id = ${input.integrationId}
    where ${which} and exists (select from repositories r where r.workspace_id = w.id and ${kept(input)})
    order by w.id limit 1`);
  return row;
}

/** All that changed before `since` is found. */
export async function endWorkspacePoll(
  tx: Transaction,
  input: OfWorkspace & { since: string; method: PollMethod | null },
): Promise<void> {
  await tx.execute(sql`
    insert into workspace_polls as p (organization_id, integration_id, workspace_id, since, method)
    values (${input.organizationId}, ${input.integrationId}, ${input.workspaceId}, ${input.since}, ${input.method})
    on conflict (organization_id, integration_id, workspace_id) do update set
      since = greatest(p.since, excluded.since), method = coalesce(excluded.method, p.method)`);
}

/** How many there are to ask for changed pull requests: authors of the workspace, if it may be, or its repositories. */
export async function countAskable(
  tx: Transaction,
  input: OfWorkspace,
): Promise<{ authors: number; repositories: number }> {
  const [row] = await tx.execute<{ authors: number; repositories: number }>(sql`
    select (select count(*)::int from workspace_authors a where a.workspace_id = ${input.workspaceId}
        and not exists (select from workspace_polls p where p.integration_id = ${input.integrationId}
          and p.workspace_id = a.workspace_id and ${REFUSED_BY_AUTHOR})) as authors,
      (select count(*)::int from repositories r where r.workspace_id = ${input.workspaceId} and ${kept(input)})
        as repositories`);
  return row ?? { authors: 0, repositories: 0 };
}
