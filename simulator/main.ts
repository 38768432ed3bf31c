import { type ParseArgsConfig, parseArgs } from 'node:util';
import { manyRepositoriesWorld, mixWorld, quietWorld } from './model/benchWorlds.ts';
import { SIZES, type WorldSpec } from './model/worldSpec.ts';
import { createSimulator } from './simulator.ts';
import type { SimulatorOptions } from './options.ts';

const HELP = `Our own Bitbucket Cloud on loopback.

  npm run simulator -- [options]

  --port N             port to listen on (default 7990)
  --host ADDRESS       address to listen on (default 127.0.0.1)
  --public-url URL     how clients reach it, where that differs
  --era guide|today    a host of 2026-06-01, or of now (default today)
  --size ${SIZES.join('|')}  how much data (default small)
  --mix N              instead: one repository of N pull requests with 6 activity entries each on average
  --commits N          with --mix: its commits (default 4 a pull request)
  --flawless           with --mix: the activity shows every comment
  --many N             instead: N small repositories
  --quiet N            instead: N repositories that share four git sides
  --authors N          with --quiet: who wrote their pull requests (default 200)
  --seed N             decides all data and secrets (default 1)
  --data FOLDER        where git repositories are kept (default a temporary folder)
  --keep-changes       changes last too: the next start on this folder makes them again
  --git-cache FOLDER   where generated ones are kept for other simulators too (default $SIMULATOR_GIT_CACHE, or none)
  --repository PATH    serve this local git repository too (repeatable)
  --limit N            requests per rolling window and account (default 1000, 0 = none)
  --window-ms N        length of the window (default 3600000)
  --retry-after none|seconds|date   what a 429 says (default none)
  --no-password-login  refuse account passwords in the era of the guide
  --callback URL       callback of the OAuth consumer (default: any address of this machine)
  --help               this text
`;

const options = {
  port: { type: 'string', default: '7990' },
  host: { type: 'string', default: '127.0.0.1' },
  'public-url': { type: 'string' },
  era: { type: 'string', default: 'today' },
  size: { type: 'string', default: 'small' },
  mix: { type: 'string' },
  commits: { type: 'string' },
  flawless: { type: 'boolean', default: false },
  many: { type: 'string' },
  quiet: { type: 'string' },
  authors: { type: 'string', default: '200' },
  seed: { type: 'string', default: '1' },
  data: { type: 'string' },
  'keep-changes': { type: 'boolean', default: false },
  'git-cache': { type: 'string', default: process.env['SIMULATOR_GIT_CACHE'] ?? '' },
  repository: { type: 'string', multiple: true },
  limit: { type: 'string', default: '1000' },
  'window-ms': { type: 'string', default: '3600000' },
  'retry-after': { type: 'string', default: 'none' },
  'no-password-login': { type: 'boolean', default: false },
  callback: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const satisfies ParseArgsConfig['options'];

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((entry) => entry === value);
  if (found === undefined) throw new Error(`--${name} must be one of ${allowed.join(', ')}, not ${value}`);
  return found;
}

function whole(name: string, value: string): number {
  const number = Number(value);
  if (!Number.isInteger(number) || number < 0)
    throw new Error(`--${name} must be a whole number, not ${value}`);
  return number;
}

/** A world to measure with, in place of one of the sizes. */
function readWorld(values: ReturnType<typeof parse>): WorldSpec | undefined {
  if (values.many !== undefined) return manyRepositoriesWorld(whole('many', values.many));
  if (values.quiet !== undefined) {
    const authors = whole('authors', values.authors);
    return quietWorld({ repositories: whole('quiet', values.quiet), authors });
  }
  if (values.mix === undefined) return undefined;
  const pullRequests = whole('mix', values.mix);
  const commits = values.commits === undefined ? 4 * pullRequests : whole('commits', values.commits);
  return mixWorld({ pullRequests, commits, flawed: !values.flawless });
}

function readOptions(values: ReturnType<typeof parse>): SimulatorOptions {
  const world = readWorld(values);
  if (values['keep-changes'] && values.data === undefined)
    throw new Error('--keep-changes needs --data FOLDER, in which they are kept');
  return {
    path: process.env['PATH'] ?? '',
    ...(values['git-cache'] === '' ? {} : { gitCache: values['git-cache'] }),
    port: whole('port', values.port),
    host: values.host,
    ...(values['public-url'] === undefined ? {} : { publicUrl: values['public-url'].replace(/\/+$/, '') }),
    era: oneOf('era', values.era, ['guide', 'today'] as const),
    size: oneOf('size', values.size, SIZES),
    ...(world === undefined ? {} : { world }),
    seed: whole('seed', values.seed),
    ...(values.data === undefined ? {} : { dataFolder: values.data }),
    keepChanges: values['keep-changes'],
    repositories: values.repository ?? [],
    limit: whole('limit', values.limit),
    windowMs: whole('window-ms', values['window-ms']),
    retryAfter: oneOf('retry-after', values['retry-after'], ['none', 'seconds', 'date'] as const),
    passwordLogin: !values['no-password-login'],
    oauth: values.callback === undefined ? {} : { callbackUrl: values.callback },
  };
}

function parse() {
  return parseArgs({ options, strict: true }).values;
}

async function main(): Promise<void> {
  const values = parse();
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const simulator = await createSimulator(readOptions(values));
  const what = values.many ?? values.quiet ?? values.mix ?? values.size;
  process.stdout.write(`Bitbucket simulator (${values.era}, ${what}) at ${simulator.url}\n`);
  process.stdout.write(`API ${simulator.apiUrl}, credentials ${simulator.url}/_simulator/credentials\n`);
  const stop = (): void => {
    simulator.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
