import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { v7 as uuid } from 'uuid';
import { Secret } from '../platform/secrets/secret.ts';
import { webhookSecret } from '../platform/secrets/webhookSecret.ts';
import { KEY_FILES } from '../scripts/keys/keyFolder.ts';
import type { Bench } from './main.ts';
import { type Connection, connect, importAll } from './support/connection.ts';
import { median, round } from './support/median.ts';
import { type Stand, tellingCpu, withStand } from './support/stand.ts';
import type { LoadInput, LoadResult } from './support/webhookLoad/input.ts';
import { runLoad } from './support/webhookLoad/run.ts';

const BYTES = 8 * 1024;
const SECONDS = 60;
/** With Temporal and without it, in turn: what a minute of this machine does to the one, the next does to the other. */
const PAIRS = 3;
/** One delivery in so many is about the imported repository, and wakes its sync; the others are about its neighbours. */
const ONE_IN = 100;

/**
 * Deliveries of 8 KB that are answered when they are stored: at 500 and at 1,000 a second, 10,000 in five seconds, and at
 * 500 a second again while Temporal answers and while it does not, in turn. All while the relay hands on what came.
 */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand({ say, cpuProfile, simulator: { many: '1' } }, async (stand) => {
    const connection = await connect(stand, ['repositories', 'pull_requests']);
    await importAll(connection);
    const hook = await register(stand, connection);
    let lost = 0;

    async function measure(what: string, perSecond: number, seconds: number): Promise<LoadResult> {
      const load = `${what} ${randomUUID()}`;
      const result = await tellingCpu(stand, say, () =>
        runLoad({ ...hook, load, perSecond, seconds, bytes: BYTES }),
      );
      const missing = await countMissing(stand, load, result);
      lost += missing;
      const { p50Ms, p99Ms, maxMs, statuses } = result;
      say(
        `${what}: ${JSON.stringify(statuses)}, p50 ${round(p50Ms, 1)} ms, p99 ${round(p99Ms, 1)} ms, longest ${round(maxMs)} ms, ${missing} lost`,
      );
      return result;
    }

    const seconds = Math.max(1, SECONDS * scale);
    await measure('warming up', 200, 5);
    const at500 = await measure('500 a second', 500, seconds);
    const at1000 = await measure('1,000 a second', 1_000, seconds);
    const storm = await measure('storm', 2_000, 5 * Math.min(1, scale));
    const temporal = stand.pidOf('temporal');
    const pairs: { answers: LoadResult; stopped: LoadResult }[] = [];
    while (pairs.length < PAIRS) {
      const answers = await measure('Temporal answers', 500, seconds);
      process.kill(temporal, 'SIGSTOP');
      const stopped = await measure('Temporal stopped', 500, seconds).finally(() =>
        process.kill(temporal, 'SIGCONT'),
      );
      pairs.push({ answers, stopped });
    }
    const all = [at500, at1000, storm, ...pairs.flatMap(({ answers, stopped }) => [answers, stopped])];
    return {
      p99_ms_500: round(at500.p99Ms, 1),
      p99_ms_1000: round(at1000.p99Ms, 1),
      lost,
      refused: all.reduce((sum, each) => sum + each.refused.length, 0),
      storm_p99_ms: round(storm.p99Ms),
      down_p99_ratio: round(median(pairs.map(({ answers, stopped }) => stopped.p99Ms / answers.p99Ms)), 2),
    };
  });

/** A workspace hook of the connection's integration, as if it were registered at the host. */
async function register(
  stand: Stand,
  { organizationId, integrationId }: Connection,
): Promise<Pick<LoadInput, 'url' | 'secret' | 'repositories'>> {
  const token = randomBytes(32).toString('base64url');
  const [repository] = await stand.sql<{ uuid: string; workspaceId: string }[]>`
    select provider_uuid as uuid, workspace_id as "workspaceId" from repositories
    where organization_id = ${organizationId} and first_imported_at is not null`;
  if (repository === undefined) throw new Error('No repository was imported.');
  await stand.sql`
    insert into webhooks (id, organization_id, integration_id, scope, workspace_id, token, state)
    values (${uuid()}, ${organizationId}, ${integrationId}, 'workspace', ${repository.workspaceId}, ${token}, 'active')`;
  const key = (await readFile(join(stand.keys, KEY_FILES.webhookKey), 'utf8')).trim();
  const neighbours = Array.from({ length: ONE_IN - 1 }, () => `{${randomUUID()}}`);
  return {
    url: `${stand.api}/v1/webhooks/bitbucket/${token}`,
    secret: webhookSecret(new Secret(key), { integrationId, generation: 1 }),
    repositories: [repository.uuid, ...neighbours],
  };
}

/** How many deliveries were answered 2xx and are not stored. */
async function countMissing(stand: Stand, load: string, { sent, refused }: LoadResult): Promise<number> {
  const rows = await stand.sql<{ number: number }[]>`
    select distinct (convert_from(body, 'UTF8')::jsonb ->> 'number')::integer as number from webhook_deliveries
    where convert_from(substring(body for 400), 'UTF8') like ${`%${load}%`}`;
  const found = new Set([...rows.map(({ number }) => number), ...refused]);
  return sent - found.size;
}
