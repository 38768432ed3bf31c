import { resolve as absolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import { demoKey } from './start/demo/story.ts';
import { asOnlyStart, dataFolderOf, openInstallation } from './start/installation.ts';
import { BadOptions, HELP, parseOptions, type StartOptions } from './start/options.ts';
import { startServices } from './start/services.ts';
import { createSupervisor } from './start/supervisor.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dataFolder = ({ data }: StartOptions): string =>
  data === undefined ? dataFolderOf(root) : absolute(data);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm run dev`: what `npm start` starts, without the demo; worker and api start again when their code changes. */
async function main(options: StartOptions): Promise<void> {
  const installation = await openInstallation(dataFolder(options), options.reset);
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
      environment,
      watch: true,
    });
    const key = await demoKey(addresses.ownerUrl, installation);
    await installation.remember({ simulator: addresses.simulator, workerDatabaseUrl: addresses.workerUrl });
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
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') say(HELP);
  else await asOnlyStart(dataFolder(options), () => main(options));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof BadOptions ? 2 : 1;
}
