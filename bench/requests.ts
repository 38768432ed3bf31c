import type { Bench } from './main.ts';
import { connect, importAll } from './support/connection.ts';
import { countRecords, mixOptions, requestFloor } from './support/mix.ts';
import { round } from './support/median.ts';
import { apiRequests, clearJournal } from './support/simulatorAccess.ts';
import { withStand } from './support/stand.ts';

/**
 * API requests of one import of the mix, by the simulator's journal; beside it the floor: the pages that hold the data.
 * `without_flawed` is the same for a host whose activity shows every comment.
 */
export const bench: Bench = async ({ say, scale, cpuProfile }) => {
  const flawed = await count({ say, cpuProfile, simulator: mixOptions({ scale }) });
  say(`requests ${flawed.requests}, floor ${flawed.floor}`);
  const flawless = await count({ say, cpuProfile, simulator: mixOptions({ scale, flawless: true }) });
  say(`without the flawed ones: requests ${flawless.requests}, floor ${flawless.floor}`);
  return { ...flawed, without_flawed: flawless.requests };
};

function count(options: Parameters<typeof withStand>[0]) {
  return withStand(options, async (stand) => {
    const floor = await requestFloor(stand.simulator);
    const connection = await connect(stand, ['repositories', 'pull_requests']);
    await clearJournal(stand.simulator);
    const { seconds } = await importAll(connection);
    const requests = await apiRequests(stand.simulator);
    const kinds = new Map<string, number>();
    for (const { path } of requests) {
      const kind = path.replace(/\?.*/, '').replace(/\d+/, 'N');
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    for (const [kind, times] of kinds) options.say(`  ${times} × ${kind}`);
    return {
      requests: requests.length,
      floor,
      records: await countRecords(stand),
      seconds: round(seconds, 1),
    };
  });
}
