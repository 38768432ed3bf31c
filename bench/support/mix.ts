import { truth } from './simulatorAccess.ts';
import type { Stand } from './stand.ts';

const PULL_REQUESTS = 5_000;

/** The simulator's options for the mix of issue 4: `scale` 1 is 5,000 pull requests and 20,000 commits. */
export function mixOptions({ scale, flawless = false }: { scale: number; flawless?: boolean }) {
  const pullRequests = Math.max(1, Math.round(PULL_REQUESTS * scale));
  return { mix: String(pullRequests), ...(flawless ? { flawless: true as const } : {}) };
}

/** Rows that the rates are measured by, in all of the database. */
export async function countRecords({ sql }: Pick<Stand, 'sql'>): Promise<number> {
  const [row] = await sql<{ records: number }[]>`
    select ((select count(*) from commits) + (select count(*) from pull_requests)
      + (select count(*) from pull_request_activity) + (select count(*) from pull_request_comments))::float8 as records`;
  return row?.records ?? 0;
}

/**
 * Empties what imports write, so that the next one finds the tables as the first one did. Nothing is imported then: else a
 * poll round of a former run's integration would bring its rows in again.
 */
export async function forgetRecords({ sql }: Pick<Stand, 'sql'>): Promise<void> {
  await sql`truncate commits, commit_files, branches, tags, pull_requests, pull_request_participants,
    pull_request_activity, pull_request_comments, accounts, streams, import_streams cascade`;
  await sql`update repositories set first_imported_at = null, last_imported_at = null`;
  await sql`vacuum analyze`;
}

/**
 * The fewest requests that can bring the data: each list at its largest page (facts 3.2). The own lists of those pull
 * requests whose comments the feed does not show in full would come on top: the truth does not tell which they are.
 */
export async function requestFloor(simulatorUrl: string): Promise<number> {
  let pullRequests = 0;
  let entries = 0;
  for await (const { kind } of truth(simulatorUrl)) {
    if (kind === 'pull_request') pullRequests += 1;
    if (kind === 'activity') entries += 1;
  }
  return Math.ceil(pullRequests / 50) + Math.ceil(entries / 50);
}
