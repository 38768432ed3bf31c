import { setTimeout as sleep } from 'node:timers/promises';
import { createDatabase } from '../db/client.ts';
import { verifyOrganization } from '../scripts/oracle/verifyOrganization.ts';
import type { Bench } from './main.ts';
import { type Connection, connect, importAll } from './support/connection.ts';
import { round } from './support/median.ts';
import { forgetRecords, mixOptions } from './support/mix.ts';
import { apiRequests, clearJournal } from './support/simulatorAccess.ts';
import { type Stand, withStand } from './support/stand.ts';

/** 80,000 pull requests: minutes undisturbed, and several kills, on a fast machine too. */
const SIZE = 16;
const KILL_EVERY_MS = 60_000;
const POLL_MS = 500;
/** An import that needs more does not come on at all. */
const MOST_KILLS = 60;

/**
 * An import whose worker is killed every 60 seconds (and started again at once by its supervisor), beside one that is
 * left alone. `lost` is every difference that the oracle finds; `refetched_pages` the pages that only the kills made it
 * fetch again.
 */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand(
    { say, cpuProfile, maxRestarts: MOST_KILLS, simulator: mixOptions({ scale: SIZE * scale }) },
    async (stand) => {
      const calm = await measure(stand, (connection) => importAll(connection));
      say(`undisturbed: ${round(calm.result.seconds, 1)} s, ${calm.repeated} pages asked for twice`);
      // Its next poll would read the forgotten records again, beside the import that is measured.
      await calm.connection.api.pause(calm.connection.integrationId);
      await forgetRecords(stand);
      let kills = 0;
      const killed = await measure(stand, async (connection) => {
        const ended = new AbortController();
        const killing = killEvery(stand, ended.signal, () => (kills += 1));
        try {
          return await importAll(connection);
        } finally {
          ended.abort();
          await killing;
        }
      });
      const lost = await differences(stand, killed.connection);
      say(
        `killed ${kills} times: ${round(killed.result.seconds, 1)} s, ${killed.repeated} pages asked for twice`,
      );
      return {
        lost,
        refetched_pages: Math.max(0, killed.repeated - calm.repeated),
        kills,
        speed_share: round(calm.result.seconds / killed.result.seconds, 3),
      };
    },
  );

async function measure<T>(
  stand: Stand,
  work: (connection: Connection) => Promise<T>,
): Promise<{ connection: Connection; result: T; repeated: number }> {
  const connection = await connect(stand, ['repositories', 'pull_requests']);
  await clearJournal(stand.simulator);
  const result = await work(connection);
  const pages = (await apiRequests(stand.simulator)).map(({ page }) => page);
  return { connection, result, repeated: pages.length - new Set(pages).size };
}

async function killEvery(stand: Stand, signal: AbortSignal, onKill: () => void): Promise<void> {
  while (!signal.aborted) {
    await sleep(KILL_EVERY_MS, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const pid = stand.pidOf('worker');
    process.kill(pid, 'SIGKILL');
    onKill();
    // Its supervisor shows the next one when that is ready.
    while (stand.pidOf('worker') === pid && !signal.aborted) await sleep(POLL_MS);
  }
}

async function differences(stand: Stand, { organizationId }: Connection): Promise<number> {
  const database = createDatabase({
    url: stand.workerUrl,
    maxConnections: 2,
    applicationName: 'bench-oracle',
  });
  try {
    const found = await verifyOrganization({ database, organizationId, simulatorUrl: stand.simulator });
    return found.lost + found.extra + found.stale + found.duplicated + found.corrupted;
  } finally {
    await database.end();
  }
}
