import { readFile } from 'node:fs/promises';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { useDatabaseBench } from '../../support/databaseBench.ts';

/** Migrations that mend rows: the owner, who runs them, sees no customer's rows by itself. */
const bench = useDatabaseBench({ role: 'worker' });

async function migrate(name: string): Promise<void> {
  const owner = postgres(bench.testDatabase.ownerUrl, { max: 1, onnotice: () => {} });
  const text = await readFile(new URL(`../../../db/migrations/${name}.sql`, import.meta.url), 'utf8');
  await owner.begin(async (tx) => {
    for (const statement of text.split('--> statement-breakpoint')) await tx.unsafe(statement);
  });
  await owner.end();
}

test('0033 takes back links of fast-forwards to merges, and failures of what is not available, for each customer', async () => {
  const tenants = [await bench.tenant('active'), await bench.tenant('active')];
  for (const tenant of tenants) {
    const { organizationId } = tenant;
    const [id] = await tenant.repositories(1);
    for (const [number, source] of [
      [1, 'abcdef012345'],
      [2, '999999999999'],
    ] as const) {
      await bench.sql`insert into pull_requests (organization_id, repository_id, number, title, state, draft, merge_hash,
          source_hash, commits_source, close_source_branch, comment_count, task_count, created_on, updated_on, observed_at, raw)
        values (${organizationId}, ${id!}, ${number}, 'One', 'MERGED', false, 'abcdef012345', ${source}, 'merge_commit',
          false, 0, 0, now(), now(), now(), '{}')`;
    }
    await bench.sql`insert into streams (organization_id, repository_id, stream, state, failing_since)
      values (${organizationId}, ${id!}, 'tickets', 'unavailable', now()),
        (${organizationId}, ${id!}, 'pull_requests', 'failed', now())`;
  }
  await migrate('0033_mended_rows');
  const links =
    await bench.sql`select number, commits_source from pull_requests order by number, commits_source`;
  expect(links.map(({ number, commits_source: source }) => [number, source])).toEqual([
    [1, null],
    [1, null],
    [2, 'merge_commit'],
    [2, 'merge_commit'],
  ]);
  const failing =
    await bench.sql`select stream, failing_since is not null as fails from streams order by stream`;
  expect(failing.map(({ stream, fails }) => [stream, fails])).toEqual([
    ['pull_requests', true],
    ['pull_requests', true],
    ['tickets', false],
    ['tickets', false],
  ]);
});
