import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, get } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Bench } from './main.ts';
import { cpuSeconds } from './support/cpuTime.ts';

/** Issue 3, section 2: fast enough not to be what is measured. Node serves from one core. */
const FULL_PAGES_BAR = 150;
const SMALL_LISTS_BAR = 1_500;
const CONNECTIONS = 4;
const WARM_UP_MS = 2_000;
const MEASURED_MS = 5_000;
const REPOSITORY = '/repositories/acme-rockets/flight-control';
const STATES = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'].map((state) => `state=${state}`).join('&');
const FULL_FIELDS = 'fields=%2Bvalues.participants,%2Bvalues.reviewers';

interface Target {
  apiUrl: string;
  authorization: string;
  agent: Agent;
  /** Of the simulator. */
  processId: number;
}

interface Speed {
  perSecond: number;
  /** By the processor time of the simulator alone: what one core does, however busy the machine is. */
  perCpuSecond: number | undefined;
  kilobytes: number;
}

/**
 * Full pages (50 pull requests with participants and reviewers) and small lists (the comments of one pull
 * request) a second, from a simulator in a process of its own.
 */
export const bench: Bench = async ({ say, cpuProfile }) => {
  const folder = await mkdtemp(join(tmpdir(), 'bench-simulator-'));
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  say('starting a simulator of 1,000 pull requests and 10,000 commits (some 10 s)');
  const { child, url } = await startSimulator(folder, cpuProfile);
  try {
    const target = {
      apiUrl: `${url}/2.0`,
      authorization: await authorizationOf(url),
      agent,
      processId: child.pid ?? 0,
    };
    const { size } = JSON.parse(
      (await fetchBody(target, `${REPOSITORY}/pullrequests?${STATES}&pagelen=1`)).body,
    );
    const pages = Math.floor(size / 50);
    const full = (at: number) =>
      `${REPOSITORY}/pullrequests?${STATES}&pagelen=50&page=${1 + (at % pages)}&${FULL_FIELDS}`;
    const small = (at: number) => `${REPOSITORY}/pullrequests/${1 + (at % size)}/comments`;
    const fullPages = await measure(target, full);
    say(`full pages: ${describe(fullPages)} (bar ${FULL_PAGES_BAR})`);
    const smallLists = await measure(target, small);
    say(`small lists: ${describe(smallLists)} (bar ${SMALL_LISTS_BAR})`);
    const onOneCore = (speed: Speed) => speed.perCpuSecond ?? speed.perSecond;
    return {
      full_pages_per_s: fullPages.perSecond,
      full_pages_per_cpu_s: onOneCore(fullPages),
      full_page_kb: fullPages.kilobytes,
      small_lists_per_s: smallLists.perSecond,
      small_lists_per_cpu_s: onOneCore(smallLists),
      small_list_kb: smallLists.kilobytes,
      met: onOneCore(fullPages) >= FULL_PAGES_BAR && onOneCore(smallLists) >= SMALL_LISTS_BAR,
      cores: cpus().length,
      node: process.version,
    };
  } finally {
    agent.destroy();
    await stop(child);
    await rm(folder, { recursive: true, force: true });
  }
};

async function startSimulator(
  folder: string,
  cpuProfile: string | undefined,
): Promise<{ child: ChildProcess; url: string }> {
  const profiling = cpuProfile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${cpuProfile}`];
  const options = ['--port', '0', '--limit', '0', '--size', 'medium', '--data', folder];
  const child = spawn(process.execPath, [...profiling, '--import', 'tsx', 'simulator/main.ts', ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.setEncoding('utf8');
  let told = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    told += chunk;
    const url = / at (http:\S+)\n/.exec(told)?.[1];
    if (url !== undefined) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error(`The simulator did not start: ${told}`);
}

async function authorizationOf(url: string): Promise<string> {
  const answer = await fetch(`${url}/_simulator/credentials`);
  const { credentials }: { credentials: { name: string; login: string; secret: string }[] } = JSON.parse(
    await answer.text(),
  );
  const admin = credentials.find(({ name }) => name === 'api_token.admin');
  if (!admin) throw new Error('The simulator has no credential api_token.admin');
  return `Basic ${Buffer.from(`${admin.login}:${admin.secret}`).toString('base64')}`;
}

async function measure(target: Target, path: (at: number) => string): Promise<Speed> {
  let asked = 0;
  async function load(milliseconds: number): Promise<{ answers: number; bytes: number; seconds: number }> {
    const begun = performance.now();
    let answers = 0;
    let bytes = 0;
    async function askOn(): Promise<void> {
      while (performance.now() - begun < milliseconds) {
        asked += 1;
        const received = await countBytes(target, path(asked));
        bytes += received;
        answers += 1;
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, askOn));
    return { answers, bytes, seconds: (performance.now() - begun) / 1_000 };
  }
  await load(WARM_UP_MS);
  const cpuBefore = await cpuSeconds(target.processId);
  const { answers, bytes, seconds } = await load(MEASURED_MS);
  const cpuSpent = (await cpuSeconds(target.processId)) - cpuBefore;
  return {
    perSecond: Math.round(answers / seconds),
    perCpuSecond: Number.isNaN(cpuSpent) ? undefined : Math.round(answers / cpuSpent),
    kilobytes: Math.round(bytes / answers / 102.4) / 10,
  };
}

function describe({ perSecond, perCpuSecond, kilobytes }: Speed): string {
  const onOneCore = perCpuSecond === undefined ? '' : `, ${perCpuSecond} a second of processor time`;
  return `${perSecond}/s${onOneCore}, ${kilobytes} KB each`;
}

/** Counts only, so that the client is not what is measured. */
function countBytes(target: Target, path: string): Promise<number> {
  return ask(target, path, () => {});
}

async function fetchBody(target: Target, path: string): Promise<{ body: string }> {
  const chunks: Buffer[] = [];
  await ask(target, path, (chunk) => chunks.push(chunk));
  return { body: Buffer.concat(chunks).toString('utf8') };
}

function ask(
  { apiUrl, authorization, agent }: Target,
  path: string,
  take: (chunk: Buffer) => void,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get(`${apiUrl}${path}`, { agent, headers: { authorization } }, (response) => {
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        take(chunk);
      });
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(bytes);
        else reject(new Error(`${path} answered ${response.statusCode}`));
      });
    });
    request.on('error', reject);
  });
}

function stop(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
