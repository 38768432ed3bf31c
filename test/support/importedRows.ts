import type postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { STREAMS } from '../../workflows/words.ts';

/** What an import leaves of a repository: `count` rows in each table that holds its data. `sql` is a superuser. */
export async function fillRepository(
  sql: postgres.Sql,
  { organizationId, repositoryId }: { organizationId: string; repositoryId: string },
  count = 3,
): Promise<void> {
  const [o, r] = [organizationId, repositoryId];
  const series = sql`generate_series(1, ${count}::int) n`;
  for (const stream of STREAMS) {
    await sql`insert into streams (organization_id, repository_id, stream, epoch, state)
      values (${o}, ${r}, ${stream}, 1, 'healthy') on conflict do nothing`;
    await sql`insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason)
      values (${uuid()}, ${o}, ${r}, ${stream}, 'odd', '\\x00', 'cannot be read')`;
  }
  await sql`insert into repository_syncs (organization_id, repository_id) values (${o}, ${r})`;
  await sql`insert into source_gaps (organization_id, repository_id, stream, number, records, reason, version)
    values (${o}, ${r}, 'pull_request_activity', 1, 1, 'gone', now())`;
  await sql`insert into branches select ${o}, ${r}, 'b' || n, 'h', now() from ${series}`;
  await sql`insert into tags (organization_id, repository_id, name, target_hash, annotated, observed_at)
    select ${o}, ${r}, 't' || n, 'h', false, now() from ${series}`;
  await sql`insert into commits (organization_id, repository_id, hash, parent_hashes, author_name, author_email,
      author_zone, committer_name, committer_email, committer_zone, message)
    select ${o}, ${r}, lpad(to_hex(n), 40, '0'), '{}', 'A', 'a@x', '+0000', 'A', 'a@x', '+0000', 'm' from ${series}`;
  await sql`insert into commit_files (organization_id, repository_id, commit_hash, place, path)
    select ${o}, ${r}, lpad(to_hex(n), 40, '0'), 0, 'f' from ${series}`;
  await sql`insert into pull_requests (organization_id, repository_id, number, title, state, draft, created_on, updated_on,
      observed_at, raw)
    select ${o}, ${r}, n, 't', 'OPEN', false, now(), now(), now(), '{}' from ${series}`;
  await sql`insert into pull_request_commits select ${o}, ${r}, n, lpad(to_hex(n), 40, '0'), 'squash' from ${series}`;
  await sql`insert into pull_request_participants select ${o}, ${r}, n, 'p', 'REVIEWER', false from ${series}`;
  await sql`insert into pull_request_activity (organization_id, repository_id, pull_request_number, entry_key, kind, at,
      raw, observed_at)
    select ${o}, ${r}, n, 'e', 'update', now(), '{}', now() from ${series}`;
  await sql`insert into pull_request_comments (organization_id, repository_id, pull_request_number, comment_id, deleted,
      pending, resolved, created_on, updated_on, observed_at, raw)
    select ${o}, ${r}, n, n, false, false, false, now(), now(), now(), '{}' from ${series}`;
  await sql`insert into tickets (organization_id, repository_id, number, title, state, created_on, updated_on,
      observed_at, raw)
    select ${o}, ${r}, n, 't', 'new', now(), now(), now(), '{}' from ${series}`;
  await sql`insert into ticket_comments (organization_id, repository_id, ticket_number, comment_id, created_on,
      observed_at, raw)
    select ${o}, ${r}, n, n, now(), now(), '{}' from ${series}`;
  await sql`insert into ticket_changes (organization_id, repository_id, ticket_number, change_id, changes, created_on,
      observed_at, raw)
    select ${o}, ${r}, n, n, '{}', now(), now(), '{}' from ${series}`;
  await sql`insert into accounts (organization_id, provider_uuid, observed_at)
    select ${o}, '{' || n || '}', now() from ${series} on conflict do nothing`;
}

/** What the keeping current of an integration leaves: a webhook with `count` deliveries, and poll rounds. */
export async function fillUpkeep(
  sql: postgres.Sql,
  { organizationId, integrationId }: { organizationId: string; integrationId: string },
  repositoryId: string,
  count = 3,
): Promise<void> {
  const [o, i, hook] = [organizationId, integrationId, uuid()];
  await sql`insert into webhooks (id, organization_id, integration_id, scope, workspace_id, repository_id, token)
    select ${hook}, ${o}, ${i}, 'repository', workspace_id, id, ${hook + hook} from repositories where id = ${repositoryId}`;
  await sql`insert into webhook_deliveries (organization_id, received_on, id, webhook_id, integration_id, event_key, body)
    select ${o}, current_date - n % 3, gen_random_uuid(), ${hook}, ${i}, 'repo:push', '\\x7b7d'
    from generate_series(1, ${count}::int) n`;
  await sql`insert into webhook_wakes values (${o}, ${i}, ${repositoryId}, now()), (${o}, ${i}, null, now())`;
  await sql`insert into webhook_upkeep (organization_id, integration_id, wanted, command_id) values (${o}, ${i}, true, 'c')`;
  await sql`insert into integration_polls (organization_id, integration_id) values (${o}, ${i})`;
  await sql`insert into workspace_polls (organization_id, integration_id, workspace_id)
    select ${o}, ${i}, workspace_id from repositories where id = ${repositoryId}`;
  await sql`insert into workspace_authors (organization_id, workspace_id, author_uuid, seen_at)
    select ${o}, workspace_id, '{a}', now() from repositories where id = ${repositoryId}`;
}

/**
 * Rows of an organization by table, those with none left out; of one repository where it is given. The organization itself,
 * its keys, its audit trail and its feed are not counted: they stay.
 */
export async function rowsLeft(
  sql: postgres.Sql,
  organizationId: string,
  repositoryId?: string,
): Promise<Record<string, number>> {
  const column = repositoryId === undefined ? 'organization_id' : 'repository_id';
  const tables = await sql<{ name: string }[]>`
    select table_name as name from information_schema.columns
    where table_schema = 'public' and column_name = ${column}
      and table_name not like 'webhook\\_deliveries\\_%' and table_name not in ('api_keys', 'audit_events', 'events', 'idempotency_keys')`;
  const left: Record<string, number> = {};
  for (const { name } of tables) {
    const [row] = await sql<{ n: number }[]>`
      select count(*)::int as n from ${sql(name)}
      where organization_id = ${organizationId}
        and ${repositoryId === undefined ? sql`true` : sql`repository_id = ${repositoryId}`}`;
    if (row!.n > 0) left[name] = row!.n;
  }
  return left;
}
