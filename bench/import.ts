import type { Bench } from './main.ts';
import { connect, importAll } from './support/connection.ts';
import { median, round } from './support/median.ts';
import { countRecords, forgetRecords, mixOptions } from './support/mix.ts';
import { peakMb, resetPeak } from './support/processMemory.ts';
import { tellingCpu, withStand } from './support/stand.ts';

const RUNS = 3;

/** Rows a second from the import's creation to its end, everything on this machine; the median of three. */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand({ say, cpuProfile, simulator: mixOptions({ scale }) }, async (stand) => {
    const rates: number[] = [];
    const memories: number[] = [];
    let records = 0;
    for (let run = 1; run <= RUNS; run += 1) {
      await forgetRecords(stand);
      const connection = await connect(stand, ['repositories', 'pull_requests']);
      await resetPeak(stand.pidOf('worker'));
      const { seconds } = await tellingCpu(stand, say, () => importAll(connection));
      records = await countRecords(stand);
      rates.push(records / seconds);
      memories.push(await peakMb(stand.pidOf('worker')));
      say(`run ${run}: ${records} rows in ${round(seconds, 1)} s, ${round(records / seconds)} rows/s`);
    }
    return {
      records_per_second: round(median(rates)),
      records,
      worker_rss_mb: round(Math.max(...memories)),
    };
  });
