/** `npm run chaos`: everything is killed and frozen at random while the source changes; then nothing may be missing. */
import { randomInt } from 'node:crypto';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createDatabase } from '../db/client.ts';
import { type Differences, describeDifferences, isExact } from '../scripts/oracle/compare.ts';
import { verifyOrganization } from '../scripts/oracle/verifyOrganization.ts';
import { type Connection, connect, importAll } from '../bench/support/connection.ts';
import { ROOT, type Stand, withStand } from '../bench/support/stand.ts';
import { dataFolderOf } from '../scripts/start/lastStart.ts';
import { describeHooks, isExactlyHooked } from './countHooks.ts';
import { explain } from './explain.ts';
import { createSourceHooks } from './hooks.ts';
import { patiently } from './patiently.ts';
import { createSource } from './source.ts';
import { harm, randomOf } from './victims.ts';

const HELP = `npm run chaos -- [--minutes N] [--seed S] [--rate R]

Imports a simulated host, registers webhooks, and for N minutes (5) kills and freezes workers, api, Temporal and Postgres
at random while the host changes R times a second (2) and tells of it, and while its hooks are taken away now and then.
When the host rests, compares Postgres with it, record by record: first as webhooks and poll rounds leave it within an
interval and a minute (waiting: records that differ then), and once more after a sync of everything. Ends with 0 when
nothing is lost, extra, stale, doubled or corrupted, and one hook tells of each repository: none missing, none doubled.
The seed decides what changes and who is harmed when; what happens between is the machine's. It is printed, so that a
run can be tried again.
`;

/** A round comes often, so that what webhooks missed is found while the run lasts. */
const POLL_INTERVAL_MS = 20_000;
/** After the last harm: backoffs of workflows, a poll round, and what it finds. */
const REST_MS = 5 * 60_000;
/** Within which webhooks and poll rounds should have brought a change (reliability.md, F42). */
const STALE_MS = POLL_INTERVAL_MS + 60_000;
const REGISTERED_MS = 2 * 60_000;

const say = (line: string): void => void process.stderr.write(`${line}\n`);

function readNumber(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || number <= 0) throw new Error(`--${name} takes a number above 0.`);
  return number;
}

/** Compares until nothing differs, or the time is over; what was found last. */
async function untilExact(
  stand: Stand,
  { organizationId }: Connection,
  timeoutMs: number,
): Promise<Differences> {
  const database = createDatabase({ url: stand.workerUrl, maxConnections: 2, applicationName: 'chaos' });
  const verify = () => verifyOrganization({ database, organizationId, simulatorUrl: stand.simulator });
  const endsMs = performance.now() + timeoutMs;
  try {
    for (;;) {
      const found = await patiently('The comparison', verify);
      if (isExact(found) || performance.now() > endsMs) return found;
      await sleep(5_000);
    }
  } finally {
    await database.end();
  }
}

async function run(options: { minutes: number; seed: number; rate: number }): Promise<boolean> {
  const { minutes, seed, rate } = options;
  say(`seed ${seed}, ${minutes} minutes`);
  return withStand(
    {
      say,
      simulator: { size: 'small', seed: '1' },
      ownWorld: true,
      workers: 2,
      maxRestarts: Number.POSITIVE_INFINITY,
      restartServers: true,
      environment: { POLL_INTERVAL_MS: String(POLL_INTERVAL_MS) },
    },
    async (stand) => {
      const connection = await connect(stand);
      await importAll(connection);
      const { api, integrationId } = connection;
      await api.registerWebhooks(integrationId, {});
      const sourceHooks = createSourceHooks(stand.simulator, connection);
      const registered = await sourceHooks.untilExact(REGISTERED_MS);
      say(`registered: ${describeHooks(registered)}`);
      if (!isExactlyHooked(registered)) throw new Error('The hooks were not registered in time.');
      const { data } = await api.repositories(integrationId, { imported: 'true', limit: '200' });
      const source = createSource(stand.simulator);
      await source.start({ seed, perSecond: rate, repositories: data.map((one) => one.provider_uuid) });
      const untilMs = performance.now() + minutes * 60_000;
      const [harmed, taken] = await Promise.all([
        harm({ stand, random: randomOf(seed), untilMs, say }),
        sourceHooks.takeAway({ random: randomOf(~seed), untilMs, say }),
      ]);
      const changed = await source.stop();
      say('the source rests; waiting until everything has come to rest …');
      await source.quiet();
      const left = await untilExact(stand, connection, STALE_MS);
      const waiting = differing(left);
      say(`by webhooks and poll rounds alone: ${waiting} records wait still`);
      if (waiting > 0) await tellDifferences(stand, left);
      // A vote is in no list and moves no date: it shows in the feed alone, which a round reads of a few repositories. Where
      // its delivery was lost, it comes when it is that one's turn; so all are asked now.
      await patiently('A sync of everything', () => api.syncIntegration(integrationId));
      const found = await untilExact(stand, connection, REST_MS);
      const hooks = await sourceHooks.untilExact(REST_MS);
      const isClean = isExact(found) && isExactlyHooked(hooks);
      if (!isClean) {
        await tellDifferences(stand, found);
        await keepLogs(stand);
      }
      const changes = Object.values(changed).reduce((sum, count) => sum + count, 0);
      say(`harmed: ${JSON.stringify({ ...harmed, 'take away a hook': taken })}`);
      say(`changed: ${JSON.stringify(changed)}`);
      process.stdout.write(
        `seed ${seed}: ${changes} changes, ${found.records} records compared; waiting=${waiting} ${describeDifferences(found)} ${describeHooks(hooks)}\n`,
      );
      return isClean;
    },
  );
}

const differing = ({ lost, extra, stale, duplicated, corrupted }: Differences): number =>
  lost + extra + stale + duplicated + corrupted;

/** Examples of what differs, and what there is to see of their repositories. */
async function tellDifferences(stand: Stand, { examples }: Differences): Promise<void> {
  const names = new Set(examples.flatMap((line) => / of (\S+\/\S+)$/.exec(line)?.[1] ?? []));
  for (const line of [...examples, ...(await patiently('The explanation', () => explain(stand, [...names])))])
    say(`  ${line}`);
}

/** The logs of all processes, which go with the stand otherwise. */
async function keepLogs(stand: Stand): Promise<void> {
  const kept = join(dataFolderOf(ROOT), 'chaos', new Date().toISOString().replaceAll(':', '-'));
  await mkdir(kept, { recursive: true });
  await cp(stand.logs, kept, { recursive: true });
  say(`logs: ${kept}`);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      help: { type: 'boolean', default: false },
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string' },
      rate: { type: 'string', default: '2' },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const isClean = await run({
    minutes: readNumber('minutes', values.minutes),
    seed: values.seed === undefined ? randomInt(1, 1_000_000) : readNumber('seed', values.seed),
    rate: readNumber('rate', values.rate),
  });
  process.exitCode = isClean ? 0 : 1;
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exitCode = 2;
});
