import { resolve as absolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoKey } from './start/demo/story.ts';
import { asOnlyStart, openInstallation } from './start/installation.ts';
import { dataFolderOf } from './start/lastStart.ts';
import { BadOptions, helpOf, parseOptions, type StartOptions } from './start/options.ts';
import { servedRepositories } from './start/servedRepositories.ts';
import { startServices } from './start/services.ts';
import { createSupervisor } from './start/supervisor.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataFolder = ({ data }: StartOptions): string =>
  data === undefined ? dataFolderOf(root) : absolute(data);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm run dev`: what `npm start` starts, without the demo; worker and api start again when their code changes. */
async function main(asked: StartOptions): Promise<void> {
  const source = asked.bitbucket ? 'bitbucket' : asked.size;
  const installation = await openInstallation(dataFolder(asked), source, asked);
  const repositories = await servedRepositories(installation.memory.repositories ?? [], asked.repositories);
  const options = { ...asked, repositories };
  const supervisor = await createSupervisor({ logFolder: installation.logs, say });
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  try {
    const environment = process.env;
    const addresses = await startServices({
      root,
      installation,
      options,
      supervisor,
      say,
      environment,
      watch: true,
    });
    const key = await demoKey(addresses.ownerUrl, installation);
    await installation.remember({
      repositories,
      simulator: addresses.simulator,
      workerDatabaseUrl: addresses.workerUrl,
      ownerDatabaseUrl: addresses.ownerUrl,
    });
    say(
      `API ${addresses.api}   Temporal UI ${addresses.temporalUi}   simulator ${addresses.simulator ?? 'none'}`,
    );
    say(`API key ${key}   logs ${installation.logs}`);
    say('Watching: a change starts the worker or the api again. Ctrl-C stops it all.');
    await Promise.race([supervisor.failed, interrupted]);
  } finally {
    await supervisor.stop();
  }
}

try {
  const options = parseOptions(process.argv.slice(2), 'dev');
  if (options === 'help') say(helpOf('dev'));
  else await asOnlyStart(dataFolder(options), () => main(options));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  if (error instanceof BadOptions) process.stderr.write(`\n${helpOf('dev')}\n`);
  process.exitCode = error instanceof BadOptions ? 2 : 1;
}
