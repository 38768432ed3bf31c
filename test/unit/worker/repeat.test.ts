import { afterEach, expect, test } from 'vitest';
import { createLogger } from '../../../platform/log.ts';
import { startRepeating } from '../../../worker/repeat.ts';
import { waitFor } from '../../support/waitFor.ts';

const lines: string[] = [];
const log = createLogger({
  service: 'worker',
  level: 'debug',
  destination: { write: (line) => void lines.push(line) },
});
const often = { everyMs: 1, log, failed: 'tried again' };

afterEach(() => {
  lines.length = 0;
});

/** Rounds each of which lasts until the test ends it. */
function roundsInHand() {
  const ends: { resolve(): void; reject(error: Error): void }[] = [];
  const round = (): Promise<void> =>
    new Promise((resolve, reject) => {
      ends.push({ resolve, reject });
    });
  return { ends, round };
}

async function untilOthersWent(times: number): Promise<void> {
  let went = 0;
  const stop = startRepeating({ ...often, round: async () => void (went += 1) });
  await waitFor({ what: 'others went', read: () => went, until: (count) => count >= times });
  await stop();
}

test('a round that lasts holds up the next ones, which do not pile up: a stop waits for it alone', async () => {
  const { ends, round } = roundsInHand();
  const stop = startRepeating({ ...often, round });
  await untilOthersWent(20);
  const stopped = stop();
  ends[0]?.reject(new Error('Postgres does not answer.'));
  await stopped;
  expect(ends).toHaveLength(1);
  expect(lines).toEqual([]);
});

test('a stop ends a rest at once', async () => {
  const { ends, round } = roundsInHand();
  const stop = startRepeating({ ...often, everyMs: 3_600_000, round });
  ends[0]?.resolve();
  await stop();
  expect(ends).toHaveLength(1);
});

test('a round that fails is told and tried again', async () => {
  const { ends, round } = roundsInHand();
  const stop = startRepeating({ ...often, round });
  ends[0]?.reject(new Error('Postgres does not answer.'));
  await waitFor({ what: 'it is tried again', read: () => ends.length, until: (count) => count === 2 });
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([{ message: 'tried again' }]);
  const stopped = stop();
  ends[1]?.resolve();
  await stopped;
});
