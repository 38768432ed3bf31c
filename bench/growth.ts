import type { Bench } from './main.ts';
import { runBareLoop } from './support/bareLoop/run.ts';
import { connect, importAll } from './support/connection.ts';
import { readHistories } from './support/histories.ts';
import { median, round } from './support/median.ts';
import { countRecords, forgetRecords, mixOptions } from './support/mix.ts';
import { peakMb, resetPeak } from './support/processMemory.ts';
import { tellingCpu, withStand } from './support/stand.ts';

/**
 * Shares of the mix that make 1,000, 10,000 and 100,000 pull requests, and how often each is measured: what takes half a
 * minute varies more than what takes ten.
 */
const SIZES = [
  { share: 0.2, times: 1 },
  { share: 2, times: 3 },
  { share: 20, times: 1 },
];

/**
 * Whether time and memory grow with the amount only: the import beside the bare loop at three sizes, the worker's peak
 * memory, the longest history and the largest payload. Each measurement has a stand of its own, so that no worker is warm.
 */
export const bench: Bench = async ({ say, scale, cpuProfile }) => {
  const found: Measurement[][] = [];
  for (const { share, times } of SIZES) {
    const runs: Measurement[] = [];
    while (runs.length < times) runs.push(await measure({ say, cpuProfile, size: share * scale }));
    found.push(runs);
  }
  const [, middle, big] = found;
  if (middle === undefined || big === undefined) throw new RangeError('Growth needs three sizes.');
  const growth = (figure: (run: Measurement) => number): number =>
    round(median(big.map(figure)) / median(middle.map(figure)), 3);
  return {
    ratio_growth: growth(({ ratio }) => ratio),
    memory_ratio: growth(({ memoryMb }) => memoryMb),
    max_events: Math.max(...found.flat().map(({ maxEvents }) => maxEvents)),
    max_payload_bytes: Math.max(...found.flat().map(({ maxPayloadBytes }) => maxPayloadBytes)),
  };
};

type Measurement = Awaited<ReturnType<typeof measure>>;

function measure(options: { say: (line: string) => void; cpuProfile: string | undefined; size: number }) {
  const { say, cpuProfile, size } = options;
  return withStand({ say, cpuProfile, simulator: mixOptions({ scale: size }) }, async (stand) => {
    const bare = await connect(stand, ['repositories', 'pull_requests']);
    const loopSeconds = await tellingCpu(stand, say, () =>
      runBareLoop(stand, bare, { parts: ['git', 'pull_requests'], cpuProfile }),
    );
    const records = await countRecords(stand);
    await forgetRecords(stand);
    const connection = await connect(stand, ['repositories', 'pull_requests']);
    await resetPeak(stand.pidOf('worker'));
    const { seconds } = await tellingCpu(stand, say, () => importAll(connection));
    if ((await countRecords(stand)) !== records)
      throw new Error('Engine and bare loop stored different rows.');
    const memoryMb = await peakMb(stand.pidOf('worker'));
    const histories = await readHistories(stand);
    const ratio = seconds / loopSeconds;
    say(
      `${records} rows: engine ${round(seconds, 1)} s (${round(records / seconds)} rows/s), bare loop ${round(loopSeconds, 1)} s, ratio ${round(ratio, 3)}, worker ${round(memoryMb)} MB, ${histories.maxEvents} events, ${histories.maxPayloadBytes} bytes`,
    );
    return { ratio, memoryMb, ...histories };
  });
}
