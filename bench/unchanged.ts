import type { Bench } from './main.ts';
import { connect, importAll } from './support/connection.ts';
import { median, round } from './support/median.ts';
import { forgetRecords, mixOptions } from './support/mix.ts';
import { rowVersions } from './support/rowVersions.ts';
import { apiRequests, clearJournal } from './support/simulatorAccess.ts';
import { tellingCpu, withStand } from './support/stand.ts';

const ROUNDS = 3;

/**
 * Importing again with nothing changed: in full for the rate beside the first import's and the row versions that it
 * writes, then in mode `changed` for its requests.
 */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand({ say, cpuProfile, simulator: mixOptions({ scale }) }, async (stand) => {
    const ratios: number[] = [];
    let versions = 0;
    let share = 0;
    for (let turn = 1; turn <= ROUNDS; turn += 1) {
      await forgetRecords(stand);
      const connection = await connect(stand, ['repositories', 'pull_requests']);
      await clearJournal(stand.simulator);
      const first = await tellingCpu(stand, say, () => importAll(connection));
      const firstRequests = (await apiRequests(stand.simulator)).length;
      const before = await rowVersions(stand);
      const again = await tellingCpu(stand, say, () => importAll(connection, 'full'));
      const written = (await rowVersions(stand)) - before;
      await clearJournal(stand.simulator);
      const changed = await importAll(connection, 'changed');
      const requests = (await apiRequests(stand.simulator)).length;
      ratios.push(first.seconds / again.seconds);
      versions = Math.max(versions, written);
      share = Math.max(share, requests / firstRequests);
      say(
        `round ${turn}: first ${round(first.seconds, 1)} s with ${firstRequests} requests; again in full ${round(again.seconds, 1)} s, ${written} row versions; changed ${round(changed.seconds, 1)} s with ${requests} requests`,
      );
    }
    return {
      rate_ratio: round(median(ratios), 2),
      row_versions: versions,
      changed_requests_share: round(share, 4),
    };
  });
