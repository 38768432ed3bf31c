import { sql, type SQL } from 'drizzle-orm';
import type { Finding, WebhookScope, WebhookState } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';
import { isAbsent } from './presence.ts';
import { jsonText } from './jsonText.ts';

/** The hooks that an integration shall have, one row each, and what Bitbucket said of them. */

export interface HookRow extends Record<string, unknown> {
  id: string;
  scope: WebhookScope;
  workspaceId: string;
  workspaceSlug: string;
  repositoryId: string | null;
  /** Bitbucket's, in braces; null: the hook is the workspace's */
  repositoryUuid: string | null;
  /** `workspace` or `workspace/repository` */
  name: string;
  providerUuid: string | null;
  /** there may be a hook that `providerUuid` does not name: a creation was not answered */
  maybeMade: boolean;
  token: string;
  generation: number;
  /** a rotation whose new secret Bitbucket may not have yet */
  unconfirmed: boolean;
  state: WebhookState;
  events: string[];
}

const COLUMNS = sql`
  w.id, w.scope, w.workspace_id as "workspaceId", s.slug as "workspaceSlug", w.repository_id as "repositoryId",
  r.provider_uuid as "repositoryUuid", coalesce(r.full_name, s.slug) as name, w.provider_uuid as "providerUuid",
  w.maybe_made as "maybeMade", w.token, w.generation, coalesce(w.previous_generation_until = 'infinity', false) as unconfirmed, w.state, w.events`;
const FROM = sql`
  from webhooks w join workspaces s on s.organization_id = w.organization_id and s.id = w.workspace_id
  left join repositories r on r.organization_id = w.organization_id and r.id = w.repository_id`;

/** Rows of `webhooks w`. */
export const selectHooks = (tx: Transaction, which: SQL): Promise<HookRow[]> =>
  tx.execute<HookRow>(sql`select ${COLUMNS} ${FROM} where ${which}`);

export async function readHook(tx: Transaction, id: string): Promise<HookRow | undefined> {
  const [row] = await selectHooks(tx, sql`w.id = ${id}`);
  return row;
}

const jsonOf = (finding: Finding): SQL => sql`${jsonText(finding)}::jsonb`;
/** Not looked at since then. */
export const due = (since: string): SQL =>
  sql`(w.last_checked_at is null or w.last_checked_at < ${since}::timestamptz)`;

/** The next workspace that the integration sees, by id. */
export async function nextTargetWorkspace(
  tx: Transaction,
  { integrationId, after }: { integrationId: string; after: string | null },
): Promise<{ id: string; slug: string } | undefined> {
  const [row] = await tx.execute<{ id: string; slug: string }>(sql`
    select s.id, s.slug
    from integration_workspaces seen
    join workspaces s on s.organization_id = seen.organization_id and s.id = seen.workspace_id
    where seen.integration_id = ${integrationId} and ${after === null ? sql`true` : sql`s.id > ${after}::uuid`}
    order by s.id limit 1`);
  return row;
}

/** Whether the account administers a workspace; null: not known, as for access tokens. */
export async function readAdministrator(
  tx: Transaction,
  { integrationId, workspaceId }: { integrationId: string; workspaceId: string },
): Promise<boolean | null> {
  const [row] = await tx.execute<{ administrator: boolean | null }>(sql`
    select administrator from integration_workspaces
    where integration_id = ${integrationId} and workspace_id = ${workspaceId}`);
  return row?.administrator ?? null;
}

export interface NewHook {
  id: string;
  organizationId: string;
  integrationId: string;
  workspaceId: string;
  token: string;
  generation: number;
}

/** The row of a workspace's own hook; made where there is none, and wanted again where it was to be removed. */
export async function holdWorkspaceHook(tx: Transaction, hook: NewHook): Promise<HookRow | undefined> {
  await tx.execute(sql`
    insert into webhooks as w (id, organization_id, integration_id, scope, workspace_id, token, generation)
    values (${hook.id}, ${hook.organizationId}, ${hook.integrationId}, 'workspace', ${hook.workspaceId}, ${hook.token},
      ${hook.generation})
    on conflict (organization_id, integration_id, workspace_id) where repository_id is null
    do update set state = 'pending', updated_at = clock_timestamp() where w.state = 'removing'`);
  const [row] = await selectHooks(
    tx,
    sql`w.integration_id = ${hook.integrationId} and w.workspace_id = ${hook.workspaceId} and w.repository_id is null`,
  );
  return row;
}

/** Hooks of a workspace's repositories that were to be removed, and are wanted again before that was done. */
export async function keepRepositoryHooks(
  tx: Transaction,
  { integrationId, workspaceId }: { integrationId: string; workspaceId: string },
): Promise<void> {
  await tx.execute(sql`
    update webhooks w set state = 'pending', updated_at = clock_timestamp()
    from repositories r
    where w.integration_id = ${integrationId} and w.workspace_id = ${workspaceId} and w.state = 'removing'
      and r.organization_id = w.organization_id and r.id = w.repository_id and r.integration_id = w.integration_id
      and r.removed_at is null and not ${isAbsent}`);
}

/** Imported repositories of a workspace that have no row yet, at most `limit`. */
export async function repositoriesWithoutHook(
  tx: Transaction,
  { integrationId, workspaceId, limit }: { integrationId: string; workspaceId: string; limit: number },
): Promise<string[]> {
  const rows = await tx.execute<{ id: string }>(sql`
    select r.id from repositories r
    where r.integration_id = ${integrationId} and r.workspace_id = ${workspaceId} and r.removed_at is null
      and not ${isAbsent} and not exists (select from webhooks w where w.organization_id = r.organization_id
        and w.integration_id = ${integrationId} and w.repository_id = r.id)
    order by r.id limit ${limit}`);
  return rows.map(({ id }) => id);
}

export async function insertRepositoryHooks(
  tx: Transaction,
  hooks: readonly (NewHook & { repositoryId: string })[],
): Promise<void> {
  await tx.execute(sql`
    insert into webhooks (id, organization_id, integration_id, scope, workspace_id, repository_id, token, generation)
    select n.id, n."organizationId", n."integrationId", 'repository', n."workspaceId", n."repositoryId", n.token, n.generation
    from jsonb_to_recordset(${JSON.stringify(hooks)}::jsonb) as n(id uuid, "organizationId" uuid, "integrationId" uuid,
      "workspaceId" uuid, "repositoryId" uuid, token text, generation integer)
    order by n."repositoryId"
    on conflict do nothing`);
}

/** So long a repository that refused its hook is left alone where each is asked. */
export const REFUSED_HOOK_RESTS_HOURS = 24;

/**
 * Which repositories of a workspace the account administers (Bitbucket's uuids; null: not known, each is to be asked, and
 * those that refused a short while ago are not asked again). The hooks of the others are not allowed: `never` says why, `lost`
 * for those that it once set up. Those of repositories that are not to be seen fail, as `absent` says. Answers those that
 * worked until now, with the code of what they became.
 */
export async function judgeRepositoryHooks(
  tx: Transaction,
  input: {
    integrationId: string;
    workspaceId: string;
    administered: readonly string[] | null;
    never: Finding;
    lost: Finding;
    absent: Finding;
  },
): Promise<{ name: string; code: string }[]> {
  const { integrationId, workspaceId, administered, never, lost, absent } = input;
  const allowed =
    administered === null
      ? sql`(w.state <> 'not_allowed' or w.last_checked_at is null
          or w.last_checked_at < clock_timestamp() - make_interval(hours => ${REFUSED_HOOK_RESTS_HOURS}))`
      : sql`r.provider_uuid in (select jsonb_array_elements_text(${JSON.stringify(administered)}::jsonb))`;
  const rows = await tx.execute<{ name: string; code: string; worked: boolean }>(sql`
    with judged as (
      select w.id, r.full_name as name, w.state as before,
        case when ${isAbsent} then 'failed' when ${allowed} then 'pending' else 'not_allowed' end as state,
        case when ${isAbsent} then ${jsonOf(absent)} when w.provider_uuid is null then ${jsonOf(never)}
          else ${jsonOf(lost)} end as error
      from webhooks w join repositories r on r.organization_id = w.organization_id and r.id = w.repository_id
      where w.integration_id = ${integrationId} and w.workspace_id = ${workspaceId} and w.state <> 'removing'
    )
    update webhooks w set updated_at = clock_timestamp(), state = j.state,
      last_error = case when j.state = 'pending' then null else j.error end,
      last_checked_at = case when j.state = 'pending' then null else clock_timestamp() end
    from judged j
    where w.id = j.id and case j.state when 'pending' then j.before = 'not_allowed'
      when 'failed' then w.last_error is distinct from j.error else ${administered !== null} end
    returning j.name, j.error ->> 'code' as code, j.before = 'active' as worked`);
  return rows.flatMap(({ worked, ...hook }) => (worked ? [hook] : []));
}

/**
 * The repository's hook of this workspace that was not looked at for the longest time, of those due in this round. Nothing
 * is asked of a repository that is gone or out of reach.
 */
export async function nextRepositoryHook(
  tx: Transaction,
  { integrationId, workspaceId, since }: { integrationId: string; workspaceId: string; since: string },
): Promise<HookRow | undefined> {
  const [row] = await selectHooks(
    tx,
    sql`w.integration_id = ${integrationId} and w.workspace_id = ${workspaceId} and w.repository_id is not null
      and w.state not in ('removing', 'not_allowed') and ${due(since)} and not ${isAbsent}
    order by w.last_checked_at nulls first, w.id limit 1`,
  );
  return row;
}

/** What was found of a hook that does not work. A row that is to be removed stays so. */
export async function noteHook(
  tx: Transaction,
  { id, state, error }: { id: string; state: Exclude<WebhookState, 'active' | 'pending'>; error: Finding },
): Promise<void> {
  await tx.execute(sql`
    update webhooks set state = case when state = 'removing' then state else ${state} end, last_error = ${jsonOf(error)},
      last_checked_at = clock_timestamp(), updated_at = clock_timestamp()
    where id = ${id}`);
}

/**
 * Bitbucket does not have it, or has it disabled: it is about to be mended. Written before that is asked for, so that the
 * row of a hook that may have come about is known from one that never was. False: the row is gone or to be removed, so
 * nothing is to be asked for.
 */
export async function beginMending(
  tx: Transaction,
  { id, state, generation }: { id: string; state: 'missing' | 'inactive'; generation: number },
): Promise<boolean> {
  // A hook that is made anew begins with the newest secret.
  const rows = await tx.execute(sql`
    update webhooks set state = ${state}, maybe_made = maybe_made or ${state} = 'missing',
      generation = case when ${state} = 'missing' then greatest(generation, ${generation}) else generation end,
      previous_generation_until = case when ${state} = 'missing' then null else previous_generation_until end,
      updated_at = clock_timestamp()
    where id = ${id} and state <> 'removing'
    returning 1`);
  return rows.length === 1;
}

/**
 * The hook works, as `uuid` at Bitbucket. Compare-and-set of what was known before: false when another run registered one
 * for this row meanwhile, or the row is no longer wanted. The secret that Bitbucket has is that of `generation`.
 */
export async function storeHook(
  tx: Transaction,
  hook: {
    id: string;
    before: string | null;
    uuid: string;
    events: readonly string[];
    /** the secret was sent: the one before it is taken for as long as `graceMs`; null: nothing changed */
    confirmed: { generation: number; graceMs: number } | null;
  },
): Promise<boolean> {
  const { id, before, uuid, events, confirmed } = hook;
  const told = sql`array(select jsonb_array_elements_text(${JSON.stringify(events)}::jsonb))`;
  // It did not stand at Bitbucket, or that was not known: what is missing is judged anew.
  const anew = sql`state not in ('active', 'failed')`;
  // What changed while it was not there, or for events that it did not have, it cannot have told of.
  const stands = sql`state = 'active' and provider_uuid = ${uuid} and events @> ${told} and events <@ ${told}`;
  const rows = await tx.execute(sql`
    update webhooks set provider_uuid = ${uuid}, maybe_made = false, state = 'active', last_error = null, events = ${told},
      watching_since = case when ${stands} then coalesce(watching_since, clock_timestamp()) else clock_timestamp() end,
      missing_since = case when not ${anew} then missing_since end,
      missing_changes = case when ${anew} then 0 else missing_changes end,
      missing_changed_at = case when not ${anew} then missing_changed_at end,
      previous_generation_until = case
        when previous_generation_until = 'infinity' and generation = ${confirmed?.generation ?? null}::integer
        then clock_timestamp() + make_interval(secs => ${(confirmed?.graceMs ?? 0) / 1000})
        else previous_generation_until end,
      last_checked_at = clock_timestamp(), updated_at = clock_timestamp()
    where id = ${id} and state <> 'removing'
      and (provider_uuid is not distinct from ${before}::text or provider_uuid = ${uuid})
    returning 1`);
  return rows.length === 1;
}

/**
 * The next generation signs from now on: the receiver takes both until Bitbucket is known to have the new secret.
 * False: another run did it.
 */
export async function raiseGeneration(
  tx: Transaction,
  { id, from }: { id: string; from: number },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update webhooks set generation = generation + 1, previous_generation_until = 'infinity',
      updated_at = clock_timestamp()
    where id = ${id} and generation = ${from} returning 1`);
  return rows.length === 1;
}
