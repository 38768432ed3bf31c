import { expect, test } from 'vitest';
import { removeSurplusCommitFiles, type CommitRow } from '../../../db/queries/commits.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { countRowsRead } from '../../support/rowsRead.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

const COMMITS = 5_000;
const PAGE = 100;

const hashOf = (commit: number): string => commit.toString(16).padStart(40, '0');

test('surplus files of a page of commits are removed without reading those of the others', async () => {
  const tenant = await bench.tenant('active');
  const [repositoryId] = await tenant.repositories(1);
  const { organizationId } = tenant;
  await bench.sql`insert into commit_files (organization_id, repository_id, commit_hash, place, path)
    select ${organizationId}, ${repositoryId!}, lpad(to_hex(n), 40, '0'), place, 'f'
    from generate_series(1, ${COMMITS}::int) n, generate_series(0, 2) place`;
  // Of every tenth commit one file is too many.
  const commits = Array.from({ length: PAGE }, (_, at) => ({
    hash: hashOf(at + 1),
    files_changed: at % 10 === 0 ? 2 : 3,
  })) as CommitRow[];

  const read = await bench.inTenant(tenant, (tx) =>
    countRowsRead(tx, ['commit_files'], () =>
      removeSurplusCommitFiles(tx, { organizationId, repositoryId: repositoryId!, commits }),
    ),
  );
  expect(read).toBeLessThanOrEqual(3 * PAGE);
  const [row] = await bench.sql<{ left: number; surplus: number }[]>`
    select count(*)::int as left, count(*) filter (where commit_hash = ${hashOf(1)})::int as surplus from commit_files
    where organization_id = ${organizationId}`;
  expect(row).toEqual({ left: 3 * COMMITS - PAGE / 10, surplus: 2 });
});
