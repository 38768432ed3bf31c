import { z } from 'zod';
import type { Bench } from './main.ts';
import { median, round } from './support/median.ts';
import type { ReadResult, Target } from './support/readLoad/input.ts';
import { runReads } from './support/readLoad/run.ts';
import { type ReadWorld, writeReadWorld } from './support/readWorld.ts';
import { tellingCpu, withStand } from './support/stand.ts';

const SIZE = { repositories: 10_000, pullRequests: 100_000, commits: 20_000 };
const NEIGHBOUR = { repositories: 1_000, pullRequests: 10_000, commits: 2_000 };
const NEWCOMER = { repositories: 20, pullRequests: 20, commits: 20 };
const PER_SECOND = 200;
const SECONDS = 30;
const RUNS = 3;
/** Pages of the longest list that are asked for: so many cursors spread over it. */
const CURSORS = 20;

/**
 * The read routes of the api over an organization with 10,000 repositories and one repository with 100,000 pull requests,
 * mixed as a product backend asks them, at 200 requests a second whatever the answers do. A small organization asks first,
 * each route often enough that the api's connections keep the plans that were made for it. The rows are written straight
 * into Postgres; api and Postgres are real.
 */
export const bench: Bench = ({ say, scale, cpuProfile }) =>
  withStand({ say, cpuProfile, simulator: { many: '1' } }, async (stand) => {
    say('writing the rows to read');
    const size = scaled(SIZE, scale);
    const world = await writeReadWorld(stand, size);
    await writeReadWorld(stand, scaled(NEIGHBOUR, scale));
    const newcomer = await writeReadWorld(stand, NEWCOMER);
    await stand.sql`vacuum analyze`;
    const asked = await targetsOf(stand.api, newcomer, NEWCOMER.pullRequests);
    const evenly = asked.map((target) => ({ ...target, weight: 1 }));
    await runReads(
      { url: stand.api, perSecond: PER_SECOND, targets: evenly, seconds: SECONDS },
      newcomer.key,
    );
    const targets = await targetsOf(stand.api, world, size.pullRequests);
    const load = { url: stand.api, perSecond: PER_SECOND, targets };
    await runReads({ ...load, seconds: 5 }, world.key);
    const results: ReadResult[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const seconds = Math.max(5, SECONDS * scale);
      const result = await tellingCpu(stand, say, () => runReads({ ...load, seconds }, world.key));
      const { p50Ms, p99Ms, maxMs, statuses, byTarget } = result;
      say(
        `${JSON.stringify(statuses)}, p50 ${round(p50Ms, 1)} ms, p99 ${round(p99Ms, 1)} ms, longest ${round(maxMs)} ms`,
      );
      for (const [name, figures] of Object.entries(byTarget))
        say(`  ${name.padEnd(26)} p50 ${round(figures.p50Ms, 1)} ms, p99 ${round(figures.p99Ms, 1)} ms`);
      const failed = result.sent - (statuses['200'] ?? 0);
      if (failed > 0) throw new Error(`${failed} requests were not answered with 200.`);
      results.push(result);
    }
    return {
      p99_ms: round(median(results.map(({ p99Ms }) => p99Ms)), 1),
      per_second: round(median(results.map(({ perSecond }) => perSecond)), 1),
    };
  });

const scaled = <Size extends Record<string, number>>(size: Size, scale: number): Size => ({
  ...size,
  ...Object.fromEntries(
    Object.entries(size).map(([name, count]) => [name, Math.max(20, Math.round(count * scale))]),
  ),
});

/** What is asked for, and how often of a hundred requests. */
async function targetsOf(api: string, world: ReadWorld, pullRequests: number): Promise<Target[]> {
  const { integrationId, repositoryId, imports } = world;
  const integration = `/v1/integrations/${integrationId}`;
  const repository = `/v1/repositories/${repositoryId}`;
  const cursors = (path: string, parameter = 'cursor') => pagesOf({ api, key: world.key, path, parameter });
  const numbers = Array.from({ length: 50 }, (_, n) => 1 + Math.floor((n * (pullRequests - 1)) / 50));
  const one = (name: string, weight: number, ...paths: string[]): Target => ({ name, weight, paths });
  return [
    one('pull requests, pages', 20, ...(await cursors(`${repository}/pull-requests`))),
    one(
      'pull requests of a state',
      4,
      `${repository}/pull-requests?state=OPEN`,
      `${repository}/pull-requests?state=SUPERSEDED`,
    ),
    one('pull request', 12, ...numbers.map((number) => `${repository}/pull-requests/${number}`)),
    one('comments', 4, ...numbers.map((number) => `${repository}/pull-requests/${number}/comments`)),
    one('commits, pages', 8, ...(await cursors(`${repository}/commits`))),
    one('tickets', 1, `${repository}/tickets`),
    one('repositories, pages', 8, ...(await cursors(`${integration}/repositories`))),
    one(
      'repositories, search',
      4,
      `${integration}/repositories?search=service-77`,
      `${integration}/repositories?search=nothing`,
    ),
    one('repository', 6, repository),
    one('repository completeness', 2, `${repository}/completeness`),
    one('workspaces', 1, `${integration}/workspaces`),
    one('projects', 2, `${integration}/projects`, `${integration}/projects?search=P1`),
    one('integrations', 2, '/v1/integrations'),
    one('integration', 5, integration),
    one('health', 4, `${integration}/health`, `${integration}/health?state=healthy`),
    one('webhooks', 1, `${integration}/webhooks`),
    one('imports', 2, `${integration}/imports`),
    one('import', 4, ...Object.values(imports).map((id) => `/v1/imports/${id}`)),
    one('import, repositories', 2, ...(await cursors(`/v1/imports/${imports.running}/repositories`))),
    one('import completeness', 1, ...Object.values(imports).map((id) => `/v1/imports/${id}/completeness`)),
    one('quarantine, pages', 1, ...(await cursors(`${integration}/quarantine`))),
    one('events, pages', 4, ...(await cursors('/v1/events', 'after'))),
    one('events of a type', 2, '/v1/events?type=import_completed', '/v1/events?type=import_started'),
  ];
}

const list = z.object({ next_cursor: z.string().nullable() });

/** The first pages of a list, each by the cursor that the one before it gave. */
async function pagesOf(of: { api: string; key: string; path: string; parameter: string }): Promise<string[]> {
  const pages = [of.path];
  while (pages.length < CURSORS) {
    const answer = await fetch(`${of.api}${pages.at(-1) ?? of.path}`, {
      headers: { Authorization: `Bearer ${of.key}` },
    });
    const { next_cursor: next } = list.parse(await answer.json());
    if (next === null) break;
    pages.push(`${of.path}?${of.parameter}=${encodeURIComponent(next)}`);
  }
  return pages;
}
