import { Client, Connection as TemporalConnection } from '@temporalio/client';
import { pollId } from '../workflows/ids.ts';
import type { Bench } from './main.ts';
import { connect } from './support/connection.ts';
import { round } from './support/median.ts';
import { allRequests, clearJournal } from './support/simulatorAccess.ts';
import { type Stand, withStand } from './support/stand.ts';

const REPOSITORIES = 10_000;
const AUTHORS = 200;
const HOUR_SECONDS = 3_600;
const ALLOWANCE = 1_000;

/**
 * A poll round over repositories of which none changed: requests to the API, and connections of git for those whose turn
 * it is in the rotation. That they were imported is written into their rows: their content is not what is measured.
 */
export const bench: Bench = ({ say, scale }) => {
  const repositories = Math.max(10, Math.round(REPOSITORIES * scale));
  const authors = Math.max(2, Math.round(AUTHORS * scale));
  const simulator = { quiet: String(repositories), authors: String(authors), limit: String(ALLOWANCE * 100) };
  const environment = { POLL_INTERVAL_MS: '0' };
  return withStand({ say, simulator, environment }, async (stand) => {
    const { organizationId, integrationId } = await connect(stand, ['repositories', 'pull_requests']);
    await stand.sql`update repositories set integration_id = ${integrationId}, first_imported_at = now(),
      last_imported_at = now() where organization_id = ${organizationId}`;
    await stand.sql`insert into workspace_polls (organization_id, integration_id, workspace_id, since)
      select organization_id, ${integrationId}, id, now() from workspaces where organization_id = ${organizationId}`;
    await stand.sql`insert into integration_polls (organization_id, integration_id, last_started_at)
      values (${organizationId}, ${integrationId}, now() - interval '15 minutes')`;
    await clearJournal(stand.simulator);
    await poll(stand, organizationId, integrationId);
    const asked = await allRequests(stand.simulator);
    const requests = asked.filter(({ path }) => path.startsWith('/2.0/')).length;
    const [row] = await stand.sql<{ found: number }[]>`
      select found from integration_polls where integration_id = ${integrationId}`;
    say(
      `${repositories} repositories, ${authors} authors: ${requests} requests, ${row?.found ?? '?'} found changed`,
    );
    const intervalSeconds = Math.max(HOUR_SECONDS / 4, (requests * HOUR_SECONDS) / (0.3 * ALLOWANCE));
    return {
      requests,
      git_operations: asked.length - requests,
      allowance_share: round((requests * (HOUR_SECONDS / intervalSeconds)) / ALLOWANCE, 3),
    };
  });
};

/** One round, as the schedule starts it. */
async function poll(stand: Stand, organizationId: string, integrationId: string): Promise<void> {
  const connection = await TemporalConnection.connect({ address: stand.temporalAddress });
  try {
    const client = new Client({ connection, namespace: stand.namespace });
    await client.workflow.execute('pollIntegration', {
      workflowId: pollId(integrationId),
      taskQueue: 'ingestion',
      args: [{ organizationId, integrationId }],
    });
  } finally {
    await connection.close();
  }
}
