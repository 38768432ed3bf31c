import type { Bench } from './main.ts';
import { connect, importAll } from './support/connection.ts';
import { round } from './support/median.ts';
import { apiRequests, clearJournal } from './support/simulatorAccess.ts';
import { tellingCpu, withStand } from './support/stand.ts';

const REPOSITORIES = 2_000;

/** Many small repositories in one import, Temporal on disk as in `npm start`; the requests are those of the one with the most. */
export const bench: Bench = ({ say, scale, cpuProfile }) => {
  const repositories = Math.max(1, Math.round(REPOSITORIES * scale));
  return withStand({ say, cpuProfile, simulator: { many: String(repositories) } }, async (stand) => {
    const connection = await connect(stand, ['repositories', 'pull_requests']);
    await clearJournal(stand.simulator);
    const { seconds, records } = await tellingCpu(stand, say, () => importAll(connection));
    const requests = new Map<string, string[]>();
    for (const { path, status } of await apiRequests(stand.simulator)) {
      const name = /\/repositories\/([^/]+\/[^/?]+)/.exec(path)?.[1] ?? path;
      requests.set(name, [...(requests.get(name) ?? []), `${status} ${path}`]);
    }
    const most = Math.max(...[...requests.values()].map((paths) => paths.length));
    const withMost = [...requests].filter(([, paths]) => paths.length === most);
    say(`${repositories} repositories with ${records} records in ${round(seconds, 1)} s`);
    say(
      `${withMost.length} with ${most} requests, among them ${withMost[0]?.[0]}: ${withMost[0]?.[1].join(', ')}`,
    );
    return { repositories_per_second: round(repositories / seconds, 2), requests_per_repository: most };
  });
};
