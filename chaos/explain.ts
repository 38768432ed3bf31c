import { Client, Connection } from '@temporalio/client';
import type { Stand } from '../bench/support/stand.ts';

/**
 * What the engine says of repositories that differ: their rows, and what goes on in Temporal. For whoever looks for the
 * cause, one line each.
 */
export async function explain(stand: Stand, fullNames: readonly string[]): Promise<string[]> {
  const { sql } = stand;
  const repositories = await sql<{ id: string; full_name: string }[]>`
    select id, full_name from repositories where full_name = any (${[...fullNames]})`;
  const lines: string[] = [];
  for (const { id, full_name } of repositories) {
    const [sync] = await sql`select * from repository_syncs where repository_id = ${id}`;
    lines.push(`${full_name} (${id}): ${JSON.stringify(sync ?? 'never synced')}`);
    const imports = await sql`
      select i.id, i.kind, ir.state, i.services, ir.error, ir.started_at, ir.finished_at from import_repositories ir
      join imports i on i.id = ir.import_id where ir.repository_id = ${id} order by i.created_at desc limit 3`;
    for (const one of imports) lines.push(`  ${JSON.stringify(one)}`);
    const streams = await sql`
      select stream, state, last_error, last_success_at, last_attempt_at from streams where repository_id = ${id}`;
    for (const one of streams) lines.push(`  ${JSON.stringify(one)}`);
    const [commits] = await sql`
      select s.position, s.memory, (select json_agg(hash) from commits c
        where c.repository_id = s.repository_id and c.unreachable_since is not null) as marked
      from streams s where s.repository_id = ${id} and s.stream = 'commits'`;
    lines.push(`  commits ${JSON.stringify(commits)}`);
  }
  const [missing] = fullNames.filter((name) => !repositories.some(({ full_name }) => full_name === name));
  if (missing !== undefined) lines.push(`${missing} is stored under another name.`);
  return [...lines, ...(await openRuns(stand))];
}

/** Runs that have not ended, with the activities that they wait for. */
async function openRuns({ temporalAddress, namespace }: Stand): Promise<string[]> {
  const connection = await Connection.connect({ address: temporalAddress });
  try {
    const { workflow } = new Client({ connection, namespace });
    const lines: string[] = [];
    for await (const { workflowId, runId } of workflow.list({ query: `ExecutionStatus = 'Running'` })) {
      const { raw, historyLength } = await workflow.getHandle(workflowId, runId).describe();
      const activities = (raw.pendingActivities ?? []).map(
        ({ activityType, state, attempt, lastFailure, scheduledTime }) =>
          JSON.stringify({
            activity: activityType?.name,
            state,
            attempt,
            lastFailure: lastFailure?.message,
            next: scheduledTime?.seconds?.toString(),
          }),
      );
      const task = raw.pendingWorkflowTask;
      const hangs =
        task == null ? '' : ` task ${JSON.stringify({ state: task.state, attempt: task.attempt })}`;
      lines.push(
        `run ${workflowId}, ${historyLength} events${hangs}: ${activities.join(' ') || 'no activity'}`,
      );
    }
    return lines;
  } finally {
    await connection.close();
  }
}
