import { expect, test } from 'vitest';
import { endRuns } from '../../../activities/removal/endRuns.ts';
import type { RunControl } from '../../../activities/removal/runControl.ts';

/** Runs that end some looks after they were asked to; `deaf`: only when they are terminated. */
function runsOf(ends: Record<string, number | 'deaf'>) {
  const left = new Map(Object.entries(ends));
  const said: string[] = [];
  const asked = new Set<string>();
  const control: RunControl = {
    running: async () => {
      for (const id of asked) {
        const looks = left.get(id);
        if (looks === 0) left.delete(id);
        else if (typeof looks === 'number') left.set(id, looks - 1);
      }
      return [...left.keys()];
    },
    cancel: async (id) => {
      said.push(`cancel ${id}`);
      asked.add(id);
    },
    terminate: async (id) => {
      said.push(`terminate ${id}`);
      left.delete(id);
    },
    deleteSchedule: async () => {},
  };
  return { control, said };
}

const { signal } = new AbortController();
const patient = { graceMs: 60_000, lookEveryMs: 1, signal };
const impatient = { graceMs: 1, lookEveryMs: 5, signal };
const integration = { organizationId: 'o', integrationId: 'i' };

test('each run is asked once, and nothing is terminated that ends in time', async () => {
  const { control, said } = runsOf({ 'import/1': 1, 'integration/i/discovery': 0 });
  expect(await endRuns(control, integration, patient)).toEqual({ terminated: 0 });
  expect(said).toEqual(['cancel import/1', 'cancel integration/i/discovery']);
});

test('what has not ended when the grace is over is terminated', async () => {
  const { control, said } = runsOf({ 'import/1': 'deaf' });
  expect(await endRuns(control, integration, impatient)).toEqual({ terminated: 1 });
  expect(said).toEqual(['cancel import/1', 'terminate import/1']);
});

test('of an integration the run of a repository is told by its import; of a repository it is asked itself', async () => {
  const of = runsOf({ 'repository/r/import': 'deaf' });
  await endRuns(of.control, integration, impatient);
  expect(of.said).toEqual(['terminate repository/r/import']);
  const one = runsOf({ 'repository/r/import': 0 });
  await endRuns(one.control, { organizationId: 'o', repositoryId: 'r' }, patient);
  expect(one.said).toEqual(['cancel repository/r/import']);
});
