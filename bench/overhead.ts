import type { Bench } from './main.ts';
import { runBareLoop } from './support/bareLoop/run.ts';
import { connect, importAll } from './support/connection.ts';
import { median, round } from './support/median.ts';
import { countRecords, forgetRecords, mixOptions } from './support/mix.ts';
import { type Stand, tellingCpu, withStand } from './support/stand.ts';

const PAIRS = 5;

/** What durability costs: the time of an import, and of the same work done by a plain loop, in turn; median of five pairs. */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand({ say, cpuProfile, simulator: mixOptions({ scale }) }, async (stand) => {
    const ratios: number[] = [];
    const engine: number[] = [];
    const loop: number[] = [];
    for (let pair = 1; pair <= PAIRS; pair += 1) {
      const bare = await measure(stand, say, async (connection) =>
        runBareLoop(stand, connection, { parts: ['git', 'pull_requests'], cpuProfile }),
      );
      const imported = await measure(stand, say, async (connection) => (await importAll(connection)).seconds);
      if (imported.records !== bare.records)
        throw new Error(`The engine stored ${imported.records} rows, the bare loop ${bare.records}.`);
      engine.push(imported.seconds);
      loop.push(bare.seconds);
      ratios.push(imported.seconds / bare.seconds);
      const { records } = imported;
      say(
        `pair ${pair}: ${records} rows, engine ${round(imported.seconds, 1)} s (${round(records / imported.seconds)} rows/s), bare loop ${round(bare.seconds, 1)} s (${round(records / bare.seconds)} rows/s)`,
      );
    }
    return {
      ratio: round(median(ratios), 3),
      engine_seconds: round(median(engine), 1),
      loop_seconds: round(median(loop), 1),
    };
  });

async function measure(
  stand: Stand,
  say: (line: string) => void,
  work: (connection: Awaited<ReturnType<typeof connect>>) => Promise<number>,
): Promise<{ seconds: number; records: number }> {
  await forgetRecords(stand);
  const connection = await connect(stand, ['repositories', 'pull_requests']);
  const seconds = await tellingCpu(stand, say, () => work(connection));
  return { seconds, records: await countRecords(stand) };
}
