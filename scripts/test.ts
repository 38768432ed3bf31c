/** `npm test`: everything that must hold before a change is good, the quick things first and at once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runSteps, type Step, type StepRunner } from './testing/runSteps.ts';
import { type StartedServers, startSharedServers, TEST_SERVERS } from './testing/testServers.ts';

const BIN = fileURLToPath(new URL('../node_modules/.bin/', import.meta.url));

const vitest = (project: string, name: string): Step => ({
  name,
  command: join(BIN, 'vitest'),
  args: ['run', '--project', project],
  project,
});

// All projects share them: to make them three times took longer than many tests.
let started: Promise<StartedServers> | undefined;
const environment = async (): Promise<Record<string, string>> => {
  started ??= startSharedServers((message) => void process.stdout.write(`${message}\n`));
  const { servers, environment: others } = await started;
  return { ...others, [TEST_SERVERS]: JSON.stringify(servers) };
};
const withServers = (project: string, name: string): Step => ({ ...vitest(project, name), environment });

// Each thread of the two type checkers works the same types out once more, and they run beside one another anyhow: one
// for each (the first has an option for it). The second collects its garbage more rarely besides.
const oneThread = async (): Promise<Record<string, string>> => ({ GOMAXPROCS: '1', GOGC: '400' });

const STEPS: StepRunner['steps'] = [
  [
    { name: 'type check', command: join(BIN, 'tsc'), args: ['--noEmit', '--checkers', '1'] },
    {
      name: 'lint',
      command: join(BIN, 'oxlint'),
      args: ['--type-aware', '--deny-warnings'],
      environment: oneThread,
    },
    { name: 'format', command: join(BIN, 'biome'), args: ['format', '.'] },
    { name: 'dead code', command: join(BIN, 'knip'), args: [] },
    vitest('unit', 'unit tests'),
  ],
  // What is promised within seconds goes first: when a killed worker's work goes on, or a person's command takes effect.
  [{ ...withServers('integration', 'integration tests'), nice: 10 }, withServers('timed', 'timed tests')],
  withServers('e2e', 'end to end tests'),
];

const stopServers = async (): Promise<void> => (await started?.catch(() => undefined))?.stop();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopServers().finally(() => process.exit(1)));
}

// While the checks run; a step that needs them waits for them, or says why they did not start.
environment().catch(() => {});

const reports = await mkdtemp(join(tmpdir(), 'bucket-brigade-reports-'));
try {
  const passed = await runSteps({ steps: STEPS, reports, print: (text) => void process.stdout.write(text) });
  process.exitCode = passed ? 0 : 1;
} finally {
  await stopServers();
  await rm(reports, { recursive: true, force: true });
}
