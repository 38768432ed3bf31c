import { setTimeout as sleep } from 'node:timers/promises';
import type { Bench } from './main.ts';
import { connect, importEnded } from './support/connection.ts';
import { round } from './support/median.ts';
import { mixOptions } from './support/mix.ts';
import { apiRequests, clearJournal, type JournalEntry } from './support/simulatorAccess.ts';
import { withStand } from './support/stand.ts';

/** Three credentials of one account, each for an integration of its own: Bitbucket counts them together. */
const CREDENTIALS = ['api_token.service', 'api_token.excess', 'api_token.expiring'];
const LIMIT = 400;
const WINDOW_MS = 30_000;
/** What the engine keeps back for live syncs and connection checks, of which there are none here. */
const RESERVE = 0.03;
/** A request that was on its way when an earlier one was refused arrives within this time. */
const ON_ITS_WAY_MS = 250;

/**
 * Three imports of the pull requests of the mix, for one account, by two workers, against a limit whose hour is
 * shortened: how much of the allowance they use while all have work, how evenly, and whether they ever break it.
 */
export const bench: Bench = async ({ say, scale, cpuProfile, limit, windowMs = WINDOW_MS }) => {
  const allowed = limit ?? Math.max(60, Math.round(LIMIT * scale));
  const simulator = {
    ...mixOptions({ scale }),
    limit: String(allowed),
    'window-ms': String(windowMs),
    'retry-after': 'seconds',
  } as const;
  return withStand({ say, cpuProfile, workers: 2, simulator }, async (stand) => {
    const connections = [];
    for (const credential of CREDENTIALS) {
      connections.push(await connect(stand, ['pull_requests'], credential));
    }
    say(`connected; ${windowMs / 1_000} s until what that took has left the window of ${allowed}`);
    await sleep(windowMs * 1.1);
    await clearJournal(stand.simulator);
    const imports = await Promise.all(
      connections.map(async ({ api, integrationId }) => {
        const { id } = await api.startImport(integrationId, { all: true });
        return { api, id };
      }),
    );
    const ended = imports.map(({ api, id }) => importEnded({ api }, id));
    const firstEnd = Promise.race(ended).then(() => Date.now());
    await Promise.all(ended);
    const requests = (await apiRequests(stand.simulator)).filter(({ group }) => group === 'repository');
    return figures(requests, { endMs: await firstEnd, limit: allowed, windowMs, say });
  });
};

interface Measured {
  /** when the first of the imports had ended */
  endMs: number;
  limit: number;
  windowMs: number;
  say: (line: string) => void;
}

function figures(requests: readonly JournalEntry[], { endMs, limit, windowMs, say }: Measured) {
  const beganMs = requests[0]?.time_ms ?? endMs;
  const windows = Math.floor((endMs - beganMs) / windowMs);
  if (windows < 2) throw new Error(`The imports ended after ${windows} windows: give a lower --limit.`);
  const useful = requests.filter(
    ({ time_ms: at, status }) =>
      at < beganMs + windows * windowMs && status !== null && (status < 300 || status === 304),
  );
  const share = useful.length / (windows * (limit - Math.ceil(limit * RESERVE)));
  const counts = CREDENTIALS.map(
    (credential) =>
      requests.filter(({ credential_name: name, time_ms: at }) => name === credential && at <= endMs).length,
  );
  const fairness = 1 - Math.min(...counts) / Math.max(...counts);
  say(`${requests.length} requests in all; ${useful.length} useful ones in ${windows} windows of ${limit}`);
  say(`until the first import ended: ${counts.join(', ')} requests`);
  return {
    useful_share: round(share, 3),
    violations: violations(requests, windowMs),
    fairness: round(fairness, 3),
    windows,
    requests: requests.length,
  };
}

/** Refused requests, and those sent before the time that a refusal named although they could have known. */
function violations(requests: readonly JournalEntry[], windowMs: number): number {
  const refused = requests.filter(({ status }) => status === 429);
  const early = requests.filter(({ time_ms: at, status }) =>
    refused.some(
      (refusal) =>
        status !== 429 && at > refusal.time_ms + ON_ITS_WAY_MS && at < retryAt(requests, refusal, windowMs),
    ),
  );
  return refused.length + early.length;
}

/** Retry-After as the simulator gives it: when the oldest request that it counted leaves the window, in whole seconds. */
function retryAt(
  requests: readonly JournalEntry[],
  { time_ms: refusedMs }: JournalEntry,
  windowMs: number,
): number {
  const oldest = requests.find(({ time_ms: at, status }) => at > refusedMs - windowMs && status !== 429);
  const waitMs = (oldest?.time_ms ?? refusedMs) + windowMs - refusedMs;
  return refusedMs + Math.max(1, Math.ceil(waitMs / 1_000)) * 1_000;
}
