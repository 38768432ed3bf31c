import { expect, test } from 'vitest';
import { mergesToLink, storeLinks } from '../../../db/queries/pullRequestCommits.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { countRowsRead } from '../../support/rowsRead.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

const PULL_REQUESTS = 2_000;
const PAGE = 100;

test('a page of links is found and stored without reading those of the other pull requests', async () => {
  const tenant = await bench.tenant('active');
  const [repositoryId] = await tenant.repositories(1);
  const { organizationId } = tenant;
  const scope = { organizationId, repositoryId: repositoryId! };
  const series = bench.sql`generate_series(1, ${PULL_REQUESTS}::int) n`;
  await bench.sql`insert into commits (organization_id, repository_id, hash, parent_hashes, author_name, author_email,
      author_zone, committer_name, committer_email, committer_zone, message)
    select ${organizationId}, ${scope.repositoryId}, encode(sha256(n::text::bytea), 'hex')::char(40), '{p}', '', '', '', '', '', '', ''
    from ${series}`;
  await bench.sql`insert into pull_requests (organization_id, repository_id, number, title, state, draft, merge_hash,
      created_on, updated_on, observed_at, raw)
    select ${organizationId}, ${scope.repositoryId}, n, 't', 'MERGED', false, encode(sha256(n::text::bytea), 'hex')::char(12),
      now(), now(), now(), '{}'
    from ${series}`;

  const rowsRead: number[] = [];
  for (let after = 0; after < PULL_REQUESTS; after += PAGE) {
    const read = await bench.inTenant(tenant, (tx) =>
      countRowsRead(tx, ['pull_requests', 'pull_request_commits', 'commits'], async () => {
        const merged = await mergesToLink(tx, scope, { all: false, after, limit: PAGE });
        expect(merged.map(({ number }) => number)).toEqual(
          Array.from({ length: PAGE }, (_, at) => after + at + 1),
        );
        const links = merged.map(({ number, merge }) => ({
          number,
          source: 'squash' as const,
          hashes: [merge?.hash ?? ''],
        }));
        expect(await storeLinks(tx, scope, links)).toBe(PAGE);
      }),
    );
    rowsRead.push(read);
  }
  // Each pull request when it is found, when it is marked and by the foreign key of its link; its merge commit.
  expect(Math.max(...rowsRead)).toBeLessThanOrEqual(4 * PAGE);
  expect(Math.min(...rowsRead)).toBeGreaterThan(PAGE);
});
