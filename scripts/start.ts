import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve as absolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMeasures } from './start/demo/measures.ts';
import { demoKey, tellStory } from './start/demo/story.ts';
import { connectByHand, TODAY, whatNext } from './start/demo/whatNext.ts';
import { asOnlyStart, openInstallation } from './start/installation.ts';
import { dataFolderOf } from './start/lastStart.ts';
import { BadOptions, helpOf, parseOptions, type StartOptions } from './start/options.ts';
import { servedRepositories } from './start/servedRepositories.ts';
import { type Addresses, startServices } from './start/services.ts';
import { createSupervisor } from './start/supervisor.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataFolder = ({ data }: StartOptions): string =>
  data === undefined ? dataFolderOf(root) : absolute(data);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm start`: everything on this machine, and the main job through the public API. Answers the exit code. */
async function main(asked: StartOptions): Promise<number> {
  const source = asked.bitbucket ? 'bitbucket' : asked.size;
  const installation = await openInstallation(dataFolder(asked), source, asked);
  const repositories = await servedRepositories(installation.memory.repositories ?? [], asked.repositories);
  const options = { ...asked, repositories };
  const supervisor = await createSupervisor({ logFolder: installation.logs, say });
  const interrupted = new Promise<'interrupted'>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve('interrupted'));
  });

  async function run(): Promise<number> {
    say(
      `Starting Postgres, Temporal, ${options.bitbucket ? '' : 'the simulator, '}worker and api (about 20 s; logs in ${installation.logs}) …`,
    );
    const addresses = await startServices({
      root,
      installation,
      options,
      supervisor,
      say,
      environment: process.env,
    });
    const key = await demoKey(addresses.ownerUrl, installation);
    await installation.remember({
      repositories,
      simulator: addresses.simulator,
      workerDatabaseUrl: addresses.workerUrl,
      ownerDatabaseUrl: addresses.ownerUrl,
    });
    for (const line of table(addresses, key)) say(line);
    if (addresses.simulator === undefined) {
      for (const line of connectByHand(addresses, key)) say(line);
      return 0;
    }
    const { simulator: simulatorUrl, api: apiUrl } = addresses;
    const terminal = process.stdout.isTTY;
    const measures = createMeasures({ ...addresses, workerPid: () => supervisor.pidOf('worker') });
    const summary = await tellStory({ apiUrl, simulatorUrl, installation, say, terminal, measures }, key);
    if (options.summaryFile !== undefined) {
      await writeFile(options.summaryFile, `${JSON.stringify(summary, null, 2)}\n`);
    }
    const organizationId = installation.memory.organizationId ?? '';
    for (const line of [...TODAY, ...whatNext(addresses, key, organizationId)]) say(line);
    return summary.exact ? 0 : 1;
  }

  const work = run();
  try {
    const code = await Promise.race([work, supervisor.failed, interrupted]);
    if (code === 'interrupted' || options.exitWhenDone) return code === 'interrupted' ? 0 : code;
    say('All of it stays up; Ctrl-C stops it.');
    await Promise.race([supervisor.failed, interrupted]);
    return 0;
  } finally {
    say('Stopping …');
    // What still runs ends with the servers under it; its errors are no news then.
    work.catch(() => {});
    await supervisor.stop();
  }
}

function table(addresses: Addresses, key: string): string[] {
  const rows = [
    ['API', addresses.api],
    ['API docs', `${addresses.api}/docs`],
    ['Temporal UI', addresses.temporalUi],
    ['Simulator', addresses.simulator ?? '(none: the real Bitbucket Cloud)'],
    ['Postgres', addresses.adminUrl],
    ['API key', key],
  ];
  return ['', ...rows.map(([name, value]) => `  ${name?.padEnd(12)} ${value}`), ''];
}

/** The checkout itself is imported too, when it is a git repository with a history. */
const withCheckout = (options: StartOptions): StartOptions =>
  options.bitbucket || !existsSync(join(root, '.git'))
    ? options
    : { ...options, repositories: [root, ...options.repositories] };

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') say(helpOf('start'));
  else process.exitCode = await asOnlyStart(dataFolder(options), () => main(withCheckout(options)));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof BadOptions) process.stderr.write(`\n${helpOf('start')}\n`);
  process.exitCode = error instanceof BadOptions ? 2 : 1;
}
