import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { createDatabase } from '../../db/client.ts';
import { settleStreams } from '../../db/queries/importTotals.ts';
import { createOperator } from '../../scripts/apiKeys/operator.ts';
import { type Stand, uniqueName } from './stand.ts';

/** How much there is to read; of one organization, beside a smaller neighbour. */
export interface ReadSize {
  repositories: number;
  /** of one repository */
  pullRequests: number;
  commits: number;
}

/** What the rows are found by. */
export interface ReadWorld {
  key: string;
  organizationId: string;
  integrationId: string;
  /** the repository that has the pull requests and commits */
  repositoryId: string;
  /** one that has ended, and one that is half done */
  imports: { ended: string; running: string };
}

/**
 * Writes what a large customer has once everything is imported, straight into the tables by statements over sets: the
 * reading is measured, and not the importing. As the worker's role and under row-level security, like the engine's own
 * writers.
 */
export async function writeReadWorld(
  { ownerUrl, workerUrl, sql: admin }: Pick<Stand, 'ownerUrl' | 'workerUrl' | 'sql'>,
  size: ReadSize,
): Promise<ReadWorld> {
  const operator = createOperator(ownerUrl);
  const organization = uniqueName('reads');
  const { key, organizationId } = await operator.createKey({ organization, role: 'viewer', label: 'bench' });
  await operator.end();
  const world: ReadWorld = {
    key,
    organizationId,
    integrationId: uuid(),
    repositoryId: uuid(),
    imports: { ended: uuid(), running: uuid() },
  };
  const client = postgres(workerUrl, { max: 1, onnotice: () => {} });
  try {
    for (const statement of [...discovered(world, size), ...imported(world, size), ...records(world, size)]) {
      await client.begin(async (sql) => {
        await sql.unsafe(`set local app.organization = '${organizationId}'`);
        await sql.unsafe(statement);
      });
    }
  } finally {
    await client.end();
  }
  // In hours Postgres does it by itself; without, counting what has ended takes minutes.
  await admin`vacuum analyze`;
  await settle(workerUrl, world);
  return world;
}

/** Counts what has ended, as the roll-up of an import does each second. */
async function settle(workerUrl: string, { organizationId, imports }: ReadWorld): Promise<void> {
  const database = createDatabase({ url: workerUrl, maxConnections: 1, applicationName: 'bench' });
  try {
    for (const importId of Object.values(imports)) {
      await database.transaction(organizationId, (tx) => settleStreams(tx, { importId, keep: 'none' }));
    }
  } finally {
    await database.end();
  }
}

const STREAMS = `(values ('refs', 'healthy'), ('commits', 'healthy'), ('pull_requests', 'healthy'),
  ('pull_request_activity', 'healthy'), ('pull_request_comments', 'healthy'), ('tickets', 'unavailable'),
  ('ticket_comments', 'unavailable'), ('ticket_changes', 'unavailable')) as stream (name, state)`;

/** Workspaces of a thousand repositories in twenty projects each; one repository in a hundred fares badly. */
function discovered(
  { organizationId: o, integrationId: i, repositoryId: r }: ReadWorld,
  size: ReadSize,
): string[] {
  return [
    `insert into integrations (id, organization_id, state, name, services, allowed_services, discovery_state,
        last_discovery_at, connected_account)
      values ('${i}', '${o}', 'active', 'Reads', '{repositories,pull_requests}', '{repositories,pull_requests}', 'done',
        now(), '{"uuid": "{reads}", "name": "Reads", "kind": "user"}')`,
    `insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
      select gen_random_uuid(), '${o}', 'workspace-' || n, 'workspace-' || n, 'Workspace ' || n, now()
      from generate_series(0, ${size.repositories - 1} / 1000) n`,
    `insert into projects (id, organization_id, workspace_id, provider_uuid, key, name, observed_at)
      select gen_random_uuid(), w.organization_id, w.id, w.slug || '-' || n, 'P' || n, 'Project ' || n, now()
      from workspaces w, generate_series(0, 19) n`,
    `insert into repositories (id, organization_id, workspace_id, project_id, provider_uuid, slug, name, full_name,
        is_private, raw, observed_at, integration_id, first_imported_at, last_imported_at)
      select case n when 1 then '${r}' else gen_random_uuid() end, p.organization_id, p.workspace_id, p.id,
        'repository-' || n, 'service-' || n, 'Service ' || n, w.slug || '/service-' || lpad(n::text, 6, '0'), true,
        jsonb_build_object('description', repeat(md5(n::text), 20)), now(), '${i}', now(), now()
      from generate_series(1, ${size.repositories}) n
      join workspaces w on w.slug = 'workspace-' || ((n - 1) / 1000)
      join projects p on p.workspace_id = w.id and p.key = 'P' || (n % 20)`,
    `insert into integration_workspaces (organization_id, integration_id, workspace_id, administrator)
      select organization_id, '${i}', id, true from workspaces`,
    `insert into integration_repositories (organization_id, integration_id, repository_id)
      select organization_id, '${i}', id from repositories`,
    `insert into streams (organization_id, repository_id, stream, state, failing_since, last_error, last_success_at,
        last_attempt_at, watermark, memory)
      select r.organization_id, r.id, stream.name,
        case when right(r.slug, 2) = '07' and stream.name = 'commits' then 'failed' else stream.state end,
        case when right(r.slug, 2) = '07' and stream.name = 'commits' then now() end,
        case when right(r.slug, 2) = '07' and stream.name = 'commits'
          then '{"code": "git_failed", "message": "git could not fetch.", "remedy": "It is tried again."}'::jsonb end,
        now(), now(), now(), '{}'
      from repositories r, ${STREAMS}`,
    `insert into repository_syncs (organization_id, repository_id, last_attempt_at, last_success_at, polled_at, rotated_at)
      select organization_id, id, now(), now(), now(), now() from repositories`,
    `insert into integration_polls (organization_id, integration_id, last_started_at, last_finished_at)
      values ('${o}', '${i}', now(), now())`,
    `insert into webhooks (id, organization_id, integration_id, scope, workspace_id, token, state)
      select gen_random_uuid(), organization_id, '${i}', 'workspace', id, repeat(md5(id::text), 2), 'active'
      from workspaces where right(slug, 1) <> '1'`,
  ];
}

/** Two imports of everything, their events, the organization's feed, and a quarantine. */
function imported({ organizationId: o, integrationId: i, imports }: ReadWorld, size: ReadSize): string[] {
  const half = Math.ceil(size.repositories / 2);
  const importOf = (id: string, state: string, completed: number): string[] => [
    `insert into imports (id, organization_id, integration_id, mode, state, selection, repositories_total,
        repositories_completed, records, requests, started_at, finished_at)
      values ('${id}', '${o}', '${i}', 'changed', '${state}', '{"all": true}', ${size.repositories}, ${completed},
        ${completed * 50}, ${completed * 4}, now(), ${state === 'running' ? 'null' : 'now()'})`,
    `insert into import_repositories (organization_id, import_id, repository_id, place, state, started_at, finished_at)
      select organization_id, '${id}', id, place, case when place <= ${completed} then 'completed' else 'pending' end,
        case when place <= ${completed} then now() end, case when place <= ${completed} then now() end
      from (select *, row_number() over (order by full_name) as place from repositories) r`,
    `insert into import_streams (organization_id, import_id, repository_id, stream, state, records_stored,
        records_expected, expected_basis, requests, started_at, finished_at, window_at)
      select ir.organization_id, ir.import_id, ir.repository_id, stream.name, stream.state,
        case when stream.state = 'healthy' then 10 else 0 end, case when stream.state = 'healthy' then 10 end, 'size',
        1, now(), now(), now()
      from import_repositories ir, ${STREAMS}
      where ir.import_id = '${id}' and ir.state = 'completed'`,
    `insert into import_events (organization_id, import_id, type, repository_id, data, at)
      select organization_id, import_id, 'repository_completed', repository_id, '{}', now() - interval '1 minute'
      from import_repositories where import_id = '${id}' and state = 'completed' order by place`,
  ];
  return [
    ...importOf(imports.ended, 'completed', size.repositories),
    ...importOf(imports.running, 'running', half),
    `insert into events (organization_id, type, integration_id, import_id, data)
      select '${o}', case when n % 100 = 0 then 'import_completed' else 'repository_failed' end, '${i}',
        '${imports.ended}', '{}' from generate_series(1, ${size.pullRequests}) n`,
    `insert into quarantine (id, organization_id, repository_id, stream, record_key, raw, reason)
      select gen_random_uuid(), organization_id, id, 'pull_requests', '1', convert_to(repeat(md5(slug), 100), 'UTF8'),
        'It has no number.' from repositories`,
  ];
}

/** What the large repository holds. */
function records({ organizationId: o, repositoryId: r }: ReadWorld, size: ReadSize): string[] {
  const account = (n: string): string => `'{account-' || (${n}) % 500 || '}'`;
  return [
    `insert into accounts (organization_id, provider_uuid, kind, display_name, nickname, observed_at)
      select '${o}', ${account('n')}, 'user', 'Person ' || n, 'person-' || n, now() from generate_series(0, 499) n`,
    `insert into pull_requests (organization_id, repository_id, number, title, description, state, draft, author_uuid,
        closed_by_uuid, source_branch, destination_branch, comment_count, task_count, created_on, updated_on,
        observed_at, raw)
      select '${o}', '${r}', n, 'Change ' || n, repeat(md5(n::text), 10),
        (array['MERGED', 'MERGED', 'MERGED', 'DECLINED', 'OPEN'])[1 + n % 5], false, ${account('n')},
        ${account('n + 1')}, 'topic-' || n, 'main', 1, 0, now() - n * interval '1 minute',
        now() - n * interval '1 minute', now(), jsonb_build_object('title', repeat(md5(n::text), 30))
      from generate_series(1, ${size.pullRequests}) n`,
    `insert into pull_request_participants (organization_id, repository_id, pull_request_number, account_key, role,
        approved, state)
      select '${o}', '${r}', n, ${account('n + m')}, 'REVIEWER', m = 1, case m when 1 then 'approved' end
      from generate_series(1, ${size.pullRequests}) n, generate_series(1, 3) m`,
    `insert into pull_request_activity (organization_id, repository_id, pull_request_number, entry_key, kind,
        actor_uuid, at, state, raw, observed_at)
      select '${o}', '${r}', n, 'update-' || m, 'update', ${account('n')}, now() - m * interval '1 minute', 'OPEN',
        '{}', now()
      from generate_series(1, ${size.pullRequests}) n, generate_series(1, 3) m`,
    `insert into pull_request_comments (organization_id, repository_id, pull_request_number, comment_id, author_uuid,
        content, deleted, pending, resolved, created_on, updated_on, observed_at, raw)
      select '${o}', '${r}', n, n * 10 + m, ${account('m')}, 'Looks good', false, false, false, now(), now(), now(), '{}'
      from generate_series(1, ${size.pullRequests}) n, generate_series(1, 2) m`,
    `insert into commits (organization_id, repository_id, hash, parent_hashes, author_name, author_email, authored_at,
        author_zone, committer_name, committer_email, committed_at, committer_zone, message, lines_added,
        lines_removed, files_changed)
      select '${o}', '${r}', md5(n::text) || left(md5(n::text), 8), '{}', 'Person', 'person@example.com',
        now() - n * interval '1 minute', '+0000', 'Person', 'person@example.com', now() - n * interval '1 minute',
        '+0000', 'Change ' || n, 10, 5, 3
      from generate_series(1, ${size.commits}) n`,
    `insert into commit_files (organization_id, repository_id, commit_hash, place, path, lines_added, lines_removed)
      select organization_id, repository_id, hash, m, 'services/part-' || m || '/main.ts', 3, 2
      from commits, generate_series(0, 2) m`,
  ];
}
