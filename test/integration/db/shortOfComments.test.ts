import { describe, expect, test } from 'vitest';
import { pullRequestsShortOfComments } from '../../../db/queries/comments.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import type { TestTenant } from '../../support/integrationRows.ts';
import { countRowsRead } from '../../support/rowsRead.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

/** More than two windows of the look-up. */
const PULL_REQUESTS = 2_400;
/** one comment short, over the windows' ends and in the last one */
const SHORT = [3, 1_000, 1_001, 1_999, 2_000, 2_399];

/** Each has two comments, of which one is deleted; a count of one is right, and of two is one too many. */
async function manyPullRequests(): Promise<{ tenant: TestTenant; repositoryId: string }> {
  const tenant = await bench.tenant('active');
  const [repositoryId] = await tenant.repositories(1);
  const [o, r] = [tenant.organizationId, repositoryId!];
  await bench.sql`insert into pull_requests (organization_id, repository_id, number, title, state, draft, comment_count,
      created_on, updated_on, observed_at, raw)
    select ${o}, ${r}, n, 't', 'OPEN', false, case when n = any (${SHORT}::int[]) then 2 else 1 end, now(), now(), now(), '{}'
    from generate_series(1, ${PULL_REQUESTS}::int) n`;
  await bench.sql`insert into pull_request_comments (organization_id, repository_id, pull_request_number, comment_id,
      deleted, pending, resolved, created_on, updated_on, observed_at, raw)
    select ${o}, ${r}, n, c, c = 2, false, false, now(), now(), now(), '{}'
    from generate_series(1, ${PULL_REQUESTS}::int) n, generate_series(1, 2) c`;
  return { tenant, repositoryId: r };
}

describe('pull requests that are short of comments, of a repository of 2,400', () => {
  test('are all found once and by number, however many are asked for at a time', async () => {
    const { tenant, repositoryId } = await manyPullRequests();
    const scope = { organizationId: tenant.organizationId, repositoryId };
    for (const limit of [1, 2, SHORT.length, 100]) {
      const found: number[] = [];
      for (let [after, more] = [0, true]; more; ) {
        const range = { after, since: null, known: {}, limit };
        const page = await bench.inTenant(tenant, (tx) => pullRequestsShortOfComments(tx, scope, range));
        expect(page.length).toBeLessThanOrEqual(limit);
        expect(page.every(({ short }) => short)).toBe(true);
        found.push(...page.map(({ number }) => number));
        after = page.at(-1)?.number ?? after;
        more = page.length === limit;
      }
      expect(found).toEqual(SHORT);
    }
  });

  test('are found behind a gap in the numbers that is longer than a window', async () => {
    const { tenant, repositoryId } = await manyPullRequests();
    const scope = { organizationId: tenant.organizationId, repositoryId };
    const far = 2_147_483_647;
    await bench.sql`update pull_requests set number = ${far} where repository_id = ${repositoryId} and number = 2_400`;
    const range = { after: 2_000, since: null, known: {}, limit: 100 };
    const found = await bench.inTenant(tenant, (tx) => pullRequestsShortOfComments(tx, scope, range));
    // Its comments are still those of its old number.
    expect(found.map(({ number }) => number)).toEqual([2_399, far]);
  });

  test.each([
    [3, 1_000],
    [1_001, 1_999],
  ])('are looked for no further than the first that are found: above %i, %i', async (after, first) => {
    const { tenant, repositoryId } = await manyPullRequests();
    const scope = { organizationId: tenant.organizationId, repositoryId };
    const range = { after, since: null, known: {}, limit: 1 };
    const read = await bench.inTenant(tenant, (tx) =>
      countRowsRead(tx, ['pull_requests', 'pull_request_comments'], async () => {
        const found = await pullRequestsShortOfComments(tx, scope, range);
        expect(found.map(({ number }) => number)).toEqual([first]);
      }),
    );
    // Of a window of 1,000: each pull request and its two comments; and the one behind it. No other window.
    expect(read).toBeLessThanOrEqual(3 * 1_000 + 1);
    expect(read).toBeGreaterThan(2 * 1_000);
  });
});
