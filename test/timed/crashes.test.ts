import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { type Stored, storedSoFar } from '../support/importRows.ts';
import { type Refetched, refetchedPages } from '../support/journalPages.ts';
import { seededRandom } from '../support/seededRandom.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/** So many while git and the API are read, so many while only the API is. */
const [KILLS_IN_GIT, KILLS_IN_API] = [4, 6];
/** Temporal notices a dead worker by its missing heartbeat (10 s), then tries again (bar of reliability.md, F01). */
const PROGRESS_WITHIN_MS = 15_000;
/**
 * The worker started in its place says so first, unless the activity had just begun (`worker/attemptsInHand.ts`). Counted
 * from when it works: how long a process takes to start is the machine's affair.
 */
const USUALLY_WITHIN_MS = 5_000;
const GIVEN_BACK = 'A worker was killed: what it had in hand is tried again';
/** What an activity may ask for again: the page in hand, and the one that was asked for ahead. */
const PAGES_A_KILL = 2;
const SEED = Number(process.env['SEED'] ?? 20_261_123);

/** The kills in git come within 6,000 at most; behind them the worker may be ahead of whoever looks. */
const COMMITS = 9_000;

const WORLD = acmeWorld([
  { slug: 'big', pullRequests: 900, commits: COMMITS, tickets: 60 },
  { slug: 'odd', pullRequests: 40, commits: 120, oddGit: true, tickets: 10 },
  { slug: 'small', pullRequests: 20, commits: 50 },
  { slug: 'empty', pullRequests: 0, commits: 0 },
]);

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({
    simulator: { era: 'guide', world: WORLD, seed: SEED },
    // As of large repositories: each kill meets both.
    environment: { SIDE_BY_SIDE_FROM_BYTES: '0' },
  });
});
afterAll(() => stack?.close());

/** The feed can neither be sorted nor keyed: by design it is read again from its top, for what came meanwhile. */
const topOfFeed = (page: string): boolean => /\/pullrequests\/activity\?(?!.*ctx=)/.test(page);

test('a worker killed ten times in one import loses and doubles nothing, and asks for two pages again at most', async () => {
  console.info(`seed ${SEED}`);
  const random = seededRandom(SEED);
  const { journal } = stack.simulator;
  const requests = (): number => journal.since(0).at(-1)?.sequence ?? 0;
  const integrationId = await activeIntegration(stack);
  const importId = await startImport(stack, integrationId);
  const cuts: number[] = [];
  const pauses: number[] = [];
  let killed: { stored: Stored; replacedAt: number } | undefined;

  for (let kill = 1; kill <= KILLS_IN_GIT + KILLS_IN_API; kill += 1) {
    const moved = await waitFor({
      what: `progress goes on after kill ${kill - 1}`,
      read: () => storedSoFar(stack, importId),
      until: ({ records }) => records !== (killed?.stored.records ?? 0),
      timeoutMs: killed === undefined ? 60_000 : PROGRESS_WITHIN_MS,
    });
    if (killed !== undefined) pauses.push(Date.now() - killed.replacedAt);
    const inGit = kill <= KILLS_IN_GIT;
    const [records, pages] = [Math.floor(random() * 1_500), 3 + Math.floor(random() * 20)];
    const from = requests();
    await waitFor({
      what: `the moment of kill ${kill}`,
      read: () => storedSoFar(stack, importId),
      until: ({ commits }) => (inGit ? commits >= moved.commits + records : requests() >= from + pages),
      timeoutMs: 60_000,
      intervalMs: 15,
    });
    await stack.workers.at(-1)?.kill();
    const stored = await storedSoFar(stack, importId);
    cuts.push(requests());
    console.info(
      `kill ${kill} at ${stored.commits} commits, ${stored.records} records, ${requests()} requests`,
    );
    expect(stored.inHand).toBeGreaterThan(0);
    if (inGit) expect(stored.commits).toBeLessThan(COMMITS);
    // In the folder of the dead one, whose half-made clones lie there.
    await stack.startWorker({ clones: 1 });
    killed = { stored, replacedAt: Date.now() };
  }

  const ended = await importEnded(stack, importId);
  await expectExact(stack);
  expect(ended.state).toBe('completed');

  const again = refetchedPages(journal.since(0), cuts).filter(({ page }) => !topOfFeed(page));
  console.info(`progress again after ${pauses.join(', ')} ms; ${again.length} pages of ${requests()} twice`);
  expect(pauses.toSorted((one, other) => one - other)[Math.floor(pauses.length / 2)]).toBeLessThan(
    USUALLY_WITHIN_MS,
  );
  expect(stack.logs().split(GIVEN_BACK).length - 1).toBeGreaterThanOrEqual(pauses.length / 2);
  const byCrash = again.filter(({ cut }) => cut > 0);
  for (const { repository, cut } of byCrash) {
    const pages = byCrash.filter((one) => one.repository === repository && one.cut === cut);
    expect(pages.length, JSON.stringify(pages, null, 1)).toBeLessThanOrEqual(PAGES_A_KILL);
  }
  // Without a crash only the beginning of an empty list is asked for again: it is doubted, anew in each attempt.
  const empty = await emptyTicketLists();
  const byItself = again.filter(({ page, cut }) => cut === 0 && !page.includes('q=id%3E0&'));
  expect(byItself.map(({ page }) => page).filter((page) => !empty.has(page))).toEqual([]);
  for (const page of empty) {
    const times = (of: Refetched[]) => of.filter((one) => one.page === page).length;
    // Twice for itself, and as often for each crash that fell between.
    expect(times(byItself), page).toBeLessThanOrEqual(2 * (1 + times(byCrash)));
  }
});

/** First pages of the comments and changes of tickets that have none, once everything is stored. */
async function emptyTicketLists(): Promise<Set<string>> {
  const sql = postgres(stack.database.superuserUrl, { max: 1, onnotice: () => {} });
  try {
    const rows = await sql<{ page: string }[]>`
      select '/2.0/repositories/' || r.full_name || '/issues/' || t.number || '/' || list.name || '?pagelen=100' as page
      from tickets t join repositories r on r.id = t.repository_id
      cross join (values ('comments'), ('changes')) list (name)
      where case list.name
        when 'comments' then not exists (select 1 from ticket_comments c
          where c.repository_id = t.repository_id and c.ticket_number = t.number)
        else not exists (select 1 from ticket_changes c
          where c.repository_id = t.repository_id and c.ticket_number = t.number) end`;
    return new Set(rows.map(({ page }) => page));
  } finally {
    await sql.end();
  }
}

test('a worker killed while an import is being prepared is noticed as soon as any other', async () => {
  const sql = postgres(stack.database.superuserUrl, { max: 2, onnotice: () => {} });
  try {
    const integrationId = await activeIntegration(stack, { name: 'Acme again' });
    const importId = await sql.begin(async (locked) => {
      await locked`lock table import_repositories in exclusive mode`;
      const id = await startImport(stack, integrationId);
      await waitFor({
        what: 'its preparation waits for the lock',
        read: async () => (await sql`select 1 from pg_locks where not granted`).length,
        until: (count) => count > 0,
      });
      await stack.workers.at(-1)?.kill();
      return id;
    });
    await stack.startWorker({ clones: 1 });
    await waitFor({
      what: 'the import goes on',
      read: () => sql`select 1 from import_repositories where import_id = ${importId}`,
      until: (rows) => rows.length > 0,
      timeoutMs: PROGRESS_WITHIN_MS,
    });
    expect((await importEnded(stack, importId)).state).toBe('completed');
  } finally {
    await sql.end();
  }
});
