import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Bench, BenchOptions } from './main.ts';
import { connect, importEnded } from './support/connection.ts';
import { median, round } from './support/median.ts';
import { forgetRecords, mixOptions } from './support/mix.ts';
import { simulatorCredential } from './support/simulatorAccess.ts';
import { ROOT, type Stand, type StandOptions, tellingCpu, withStand } from './support/stand.ts';

const PAIRS = 3;
const ENOUGH_COMMITS = 10_000;
const run = promisify(execFile);

/** Commits a second from clone to rows; beside it git alone on the same server: clone, then `log --numstat`; in turn. */
export const bench: Bench = async (options) => {
  const { say } = options;
  const { repository, ...served } = await chooseRepository(options);
  return withStand({ say, cpuProfile: options.cpuProfile, ...served }, async (stand) => {
    const engine: number[] = [];
    const alone: number[] = [];
    let commits = 0;
    for (let pair = 1; pair <= PAIRS; pair += 1) {
      const plain = await gitAlone(stand, repository);
      await forgetRecords(stand);
      const imported = await tellingCpu(stand, say, () => importOne(stand, repository));
      ({ commits } = imported);
      alone.push(plain);
      engine.push(imported.seconds);
      say(
        `pair ${pair}: ${commits} commits, engine ${round(imported.seconds, 1)} s, git alone ${round(plain, 1)} s`,
      );
    }
    return {
      commits_per_second: round(commits / median(engine)),
      ratio_to_git: round(median(engine.map((seconds, at) => seconds / (alone[at] ?? Number.NaN))), 3),
    };
  });
};

/** The repository given, or this checkout's own where it is long enough, or a generated one. */
async function chooseRepository({
  repository,
  scale,
  say,
}: BenchOptions): Promise<Pick<StandOptions, 'simulator' | 'repositories'> & { repository: string }> {
  const path = repository === undefined ? ROOT : resolve(repository);
  const commits = await countCommits(path);
  if (repository === undefined && commits < ENOUGH_COMMITS) {
    say(
      `measures a generated repository: this checkout has ${commits} commits; --repository PATH gives a real one`,
    );
    return { simulator: mixOptions({ scale }), repository: 'acme-rockets/flight-control' };
  }
  say(`measures ${path}, ${commits} commits`);
  const slug = basename(path)
    .toLowerCase()
    .replace(/\.git$/, '');
  return { simulator: { size: 'tiny' }, repositories: [path], repository: `local/${slug}` };
}

async function countCommits(path: string): Promise<number> {
  const counted = await run('git', ['-C', path, 'rev-list', '--all', '--count']).catch(() => ({
    stdout: '0',
  }));
  return Number(counted.stdout);
}

async function importOne(stand: Stand, wanted: string): Promise<{ seconds: number; commits: number }> {
  const { api, integrationId } = await connect(stand, ['repositories']);
  const { data } = await api.repositories(integrationId, { limit: 100 });
  const found = data.find(({ full_name }) => full_name === wanted);
  if (found === undefined) throw new Error(`There is no repository ${wanted}.`);
  const { id } = await api.startImport(integrationId, { repositories: [found.id] });
  const { seconds } = await importEnded({ api }, id);
  const [row] = await stand.sql<{ commits: number }[]>`select count(*)::float8 as commits from commits`;
  return { seconds, commits: row?.commits ?? 0 };
}

async function gitAlone(stand: Stand, wanted: string): Promise<number> {
  const folder = await mkdtemp(join(stand.folder, 'git-alone-'));
  const { secret } = await simulatorCredential(stand.simulator);
  const url = new URL(`${stand.simulator}/${wanted}.git`);
  url.username = 'x-bitbucket-api-token-auth';
  url.password = secret;
  const clone = join(folder, 'clone.git');
  const begun = performance.now();
  await runQuietly(['clone', '--quiet', '--bare', url.href, clone]);
  await runQuietly(['-C', clone, 'log', '--all', '--numstat']);
  const seconds = (performance.now() - begun) / 1_000;
  await rm(folder, { recursive: true, force: true });
  return seconds;
}

async function runQuietly(args: readonly string[]): Promise<void> {
  const child = spawn('git', args, { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`git ${args[0]} ended with ${String(code)}.`);
}
