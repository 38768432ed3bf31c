import { sql, type SQL } from 'drizzle-orm';
import type { Finding, WebhookScope, WebhookState, WebhookUpkeepState } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import { fixed } from './fixed.ts';
import { limitTo } from './limitTo.ts';

/** How changes reach the workspaces and imported repositories of an integration: by webhook, or by polling alone. */

export interface UpkeepRow extends Record<string, unknown> {
  /** null: webhooks were never asked for */
  wanted: boolean | null;
  state: WebhookUpkeepState | null;
  error: Finding | null;
  waitingUntil: string | null;
  waitingReason: string | null;
  lastRoundAt: string | null;
  nextRoundAt: string | null;
}

export type Mode = 'webhook' | 'polling';

export interface TargetRow extends Record<string, unknown> {
  kind: number;
  /** what it is sorted by */
  name: string;
  id: string;
  workspaceId: string;
  workspaceSlug: string;
  /** of a repository */
  fullName: string | null;
  mode: Mode;
  /** whose hook the rest is about; null: there is none */
  via: WebhookScope | null;
  state: WebhookState | null;
  error: Finding | null;
  events: string[] | null;
  lastDeliveryAt: string | null;
  lastCheckedAt: string | null;
  missingSince: string | null;
  missingChanges: number | null;
  missingChangedAt: string | null;
  generation: number | null;
  takesPrevious: boolean;
}

export async function readUpkeepRow(tx: Transaction, integrationId: string): Promise<UpkeepRow | undefined> {
  const [row] = await tx.execute<UpkeepRow>(sql`
    select u.wanted, u.state, u.error, u.waiting_until as "waitingUntil", u.waiting_reason as "waitingReason",
      u.last_round_at as "lastRoundAt", u.next_round_at as "nextRoundAt"
    from webhook_upkeep u where u.integration_id = ${integrationId}`);
  return row;
}

const MODE = sql`case when w.state = 'active' then 'webhook' else 'polling' end`;

/** Columns of a target and its hook `w`, in which both parts of the list agree. */
const hookOf = fixed(sql`${MODE} as mode, w.scope as via, w.state, w.last_error as error, w.events,
  w.last_delivery_at as "lastDeliveryAt", w.last_checked_at as "lastCheckedAt", w.generation,
  w.missing_since as "missingSince", w.missing_changes as "missingChanges", w.missing_changed_at as "missingChangedAt",
  coalesce(w.previous_generation_until > clock_timestamp(), false) as "takesPrevious"`);

interface Page {
  integrationId: string;
  mode: Mode | undefined;
  after: { kind: number; key: string; id: string } | null;
  limit: number;
}

/** What comes of one kind on a page, by the index of its names. */
function behind(page: Page, kind: number, name: SQL, id: SQL): SQL {
  const { mode, after } = page;
  const isMode = mode === undefined ? sql`true` : sql`${MODE} = ${mode}`;
  if (after === null || after.kind < kind) return isMode;
  if (after.kind > kind) return sql`false`;
  return sql`${isMode} and (${name}, ${id}) > (${after.key}, ${after.id}::uuid)`;
}

const workspaceTargets = (page: Page): SQL => sql`
  select 0 as kind, s.slug as name, s.id, s.id as "workspaceId", s.slug as "workspaceSlug", null as "fullName", ${hookOf}
  from integration_workspaces seen
  join workspaces s on s.organization_id = seen.organization_id and s.id = seen.workspace_id
  left join webhooks w on w.organization_id = seen.organization_id and w.integration_id = seen.integration_id
    and w.workspace_id = s.id and w.repository_id is null
  where seen.integration_id = ${page.integrationId} and ${behind(page, 0, sql`s.slug`, sql`s.id`)}
  order by s.slug, s.id ${limitTo(page.limit)}`;

/**
 * The workspace's hook covers its repositories; where neither works, it is the repository's own that says why not, or else
 * the workspace's.
 */
const repositoryTargets = (page: Page): SQL => sql`
  select 1, r.full_name, r.id, r.workspace_id, s.slug, r.full_name, ${hookOf}
  from repositories r
  join workspaces s on s.organization_id = r.organization_id and s.id = r.workspace_id
  left join webhooks own on own.organization_id = r.organization_id and own.integration_id = r.integration_id
    and own.repository_id = r.id
  left join webhooks whole on whole.organization_id = r.organization_id and whole.integration_id = r.integration_id
    and whole.workspace_id = r.workspace_id and whole.repository_id is null
  left join webhooks w on w.organization_id = r.organization_id
    and w.id = case when whole.state = 'active' or own.id is null then whole.id else own.id end
  where r.integration_id = ${page.integrationId} and ${behind(page, 1, sql`r.full_name`, sql`r.id`)}
  order by r.full_name, r.id ${limitTo(page.limit)}`;

/** By workspaces, of which there are few: a workspace's hook covers all of its repositories, and the others have their own or none. */
export async function countTargets(
  tx: Transaction,
  integrationId: string,
): Promise<Record<'workspaces' | 'repositories', Record<Mode, number>>> {
  const [row] = await tx.execute<Record<'workspaces' | 'covered' | 'repositories' | 'told', number>>(sql`
    with whole as materialized (
      select workspace_id from webhooks
      where integration_id = ${integrationId} and repository_id is null and state = 'active'
    ), owned as (
      select workspace_id, count(*) as repositories from repositories
      where integration_id = ${integrationId} group by 1
    )
    select
      (select count(*)::int from integration_workspaces where integration_id = ${integrationId}) as workspaces,
      (select count(*)::int from integration_workspaces seen where seen.integration_id = ${integrationId}
        and seen.workspace_id in (select workspace_id from whole)) as covered,
      (select coalesce(sum(repositories), 0)::int from owned) as repositories,
      (select coalesce(sum(repositories), 0)::int from owned
        where workspace_id in (select workspace_id from whole))
      + (select count(*)::int from webhooks own
        join repositories r on r.organization_id = own.organization_id and r.id = own.repository_id
        where own.integration_id = ${integrationId} and own.state = 'active' and r.integration_id = ${integrationId}
          and r.workspace_id not in (select workspace_id from whole)) as told`);
  const { workspaces, covered, repositories, told } = row ?? {
    workspaces: 0,
    covered: 0,
    repositories: 0,
    told: 0,
  };
  return {
    workspaces: { webhook: covered, polling: workspaces - covered },
    repositories: { webhook: told, polling: repositories - told },
  };
}

/** Workspaces first, then the repositories that the integration imports, each by name. */
export async function listTargets(tx: Transaction, page: Page): Promise<TargetRow[]> {
  return tx.execute<TargetRow>(sql`
    (${workspaceTargets(page)}) union all (${repositoryTargets(page)})
    order by kind, name, id ${limitTo(page.limit)}`);
}

export interface MissingRow extends Record<string, unknown> {
  webhooks: number;
  changes: number;
  since: string;
}

/** Over all webhooks of an integration that work and of which polls miss deliveries; `undefined`: there is none. */
export async function readMissing(tx: Transaction, integrationId: string): Promise<MissingRow | undefined> {
  const [row] = await tx.execute<MissingRow>(sql`
    select count(*)::int as webhooks, sum(missing_changes)::int as changes, min(missing_since) as since
    from webhooks where integration_id = ${integrationId} and missing_since is not null and state = 'active'
    having count(*) > 0`);
  return row;
}
