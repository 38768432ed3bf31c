import { type SQL, sql } from 'drizzle-orm';
import type { WebhookScope } from '../../../workflows/words.ts';
import type { Transaction } from '../../client.ts';
import type { ChangedRepository } from './changes.ts';
import type { OfIntegration } from './scope.ts';

/**
 * Deliveries that a webhook should have made and did not, known by what polls find. `apartMs`: how far Bitbucket's clock and
 * ours may lie apart, and how long a delivery may take. Every function runs inside a transaction of the tenant.
 */

const KINDS = { push: sql`push_awaited`, pull_request: sql`pull_request_awaited` };

const seconds = (ms: number): SQL => sql`make_interval(secs => ${ms / 1000}::float8)`;

/**
 * Webhooks `h` that tell of changes of a kind (`repo` or `pullrequest`, as their events begin) in the repository `r`, and
 * that did so at `at` already.
 */
const shouldTell = (kind: SQL, at: SQL, apartMs: number): SQL => sql`
  h.organization_id = r.organization_id and h.integration_id = r.integration_id and h.state = 'active'
    and (h.repository_id = r.id or (h.repository_id is null and h.workspace_id = r.workspace_id))
    and h.watching_since <= ${at} - ${seconds(apartMs)}
    and exists (select from unnest(h.events) e where split_part(e, ':', 1) = ${kind}
      and (${kind} <> 'repo' or e = 'repo:push'))`;

/**
 * A poll has found these changed. Where a webhook should have told of it, that is remembered until `judgeAwaited`: its
 * delivery may be on its way. Of several changes of a repository the oldest is kept, so that each is judged in time.
 */
export async function awaitDeliveries(
  tx: Transaction,
  input: OfIntegration & {
    changed: readonly ChangedRepository[];
    kind: keyof typeof KINDS;
    apartMs: number;
  },
): Promise<void> {
  const { changed, apartMs } = input;
  if (changed.length === 0) return;
  const column = KINDS[input.kind];
  const kind = input.kind === 'push' ? sql`'repo'` : sql`'pullrequest'`;
  const rows = changed.map(({ repositoryId, changedAt }) => ({ id: repositoryId, at: changedAt }));
  await tx.execute(sql`
    insert into repository_syncs as y (organization_id, repository_id, ${column})
    select r.organization_id, r.id, c.at
    from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as c (id uuid, at timestamptz)
    join repositories r on r.organization_id = ${input.organizationId} and r.id = c.id
    where c.at is not null and exists (select from webhooks h where ${shouldTell(kind, sql`c.at`, apartMs)})
    order by r.id
    on conflict (organization_id, repository_id) do update set ${column} = excluded.${column}
    where y.${column} is null`);
}

/** Each may be a webhook with an event to tell; the next round judges the rest. */
const JUDGED_AT_ONCE = 500;

/** A webhook of which deliveries are missing, as its event tells. */
export interface SilentHook extends Record<string, unknown> {
  scope: WebhookScope;
  /** `workspace` or `workspace/repository` */
  name: string;
  changes: number;
}

/**
 * What was awaited for long enough: where no delivery of that kind and repository has come since shortly before the change,
 * whether handed on by now or not, the webhook has missed it. Deliveries are kept for seven days, so what is older is not
 * judged. Answers the webhooks with which that begins.
 */
export async function judgeAwaited(
  tx: Transaction,
  input: OfIntegration & { apartMs: number },
): Promise<SilentHook[]> {
  const { organizationId, integrationId, apartMs } = input;
  const apart = seconds(apartMs);
  const rows = await tx.execute<SilentHook & { begins: boolean }>(sql`
    with over as materialized (
      select r.organization_id, r.id, r.integration_id, r.workspace_id, r.provider_uuid, k.kind, k.at
      from repository_syncs y
      join repositories r on r.organization_id = y.organization_id and r.id = y.repository_id
      cross join lateral (values ('repo', y.push_awaited), ('pullrequest', y.pull_request_awaited)) k (kind, at)
      where (y.push_awaited is not null or y.pull_request_awaited is not null)
        and r.integration_id = ${integrationId} and k.at <= now() - ${apart}
      order by k.at limit ${JUDGED_AT_ONCE}
    ),
    forgotten as (
      update repository_syncs y set
        push_awaited = case when (repository_id, 'repo') in (select id, kind from over) then null else push_awaited end,
        pull_request_awaited = case when (repository_id, 'pullrequest') in (select id, kind from over) then null
          else pull_request_awaited end
      where organization_id = ${organizationId} and repository_id in (select id from over)
    ),
    due as materialized (
      select h.id as webhook_id, r.provider_uuid, r.kind, r.at - ${apart} as since, r.at
      from over r join webhooks h on ${shouldTell(sql`r.kind`, sql`r.at`, apartMs)}
      where r.at > now() - interval '6 days'
    ),
    came as materialized (
      select d.webhook_id, d.repository_uuid, split_part(d.event_key, ':', 1) as kind,
        max(greatest(d.received_at, d.repeated_at)) as at
      from webhook_deliveries d
      where d.organization_id = ${organizationId} and d.webhook_id in (select webhook_id from due)
        and d.received_on >= (select (min(since) at time zone 'UTC')::date from due)
        and d.repository_uuid in (select provider_uuid from due)
      group by 1, 2, 3
    ),
    missed as (
      select due.webhook_id, count(*)::int as changes, max(due.at) as at
      from due left join came on came.webhook_id = due.webhook_id and came.repository_uuid = due.provider_uuid
        and came.kind = due.kind
      where came.at is null or came.at < due.since
      group by 1
    )
    update webhooks w set missing_since = coalesce(w.missing_since, clock_timestamp()),
      missing_changes = w.missing_changes + m.changes,
      missing_changed_at = greatest(w.missing_changed_at, m.at)
    from missed m
    join webhooks h on h.id = m.webhook_id
    join workspaces s on s.organization_id = h.organization_id and s.id = h.workspace_id
    left join repositories r on r.organization_id = h.organization_id and r.id = h.repository_id
    where w.organization_id = ${organizationId} and w.id = m.webhook_id
    returning w.scope, coalesce(r.full_name, s.slug) as name, m.changes, h.missing_since is null as begins`);
  return rows.flatMap(({ begins, ...hook }) => (begins ? [hook] : []));
}
