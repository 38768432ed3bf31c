import { expect, test } from 'vitest';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { inActivity } from '../../support/bitbucketEngine.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

/** What an import's counters say of streams that it begins with once more. */
const bench = useDatabaseBench({ role: 'worker', maxConnections: 4 });

/** An import has counted ten pull requests, and its run begins again; `left`: how the stream stands then. */
async function countedBehind(left: (of: { own: string; other: string }) => object): Promise<number> {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const [repositoryId] = await tenant.repositories(1);
  const [own, other] = [await tenant.storeImport({ all: true }), await tenant.storeImport({ all: true })];
  const imports = createImportActivities({ database: bench.database, isRunning: async () => false });
  const begin = async (importId: string) => {
    await inActivity(() => imports.prepareImport({ organizationId, integrationId, importId }));
    await imports.beginRepository({ organizationId, integrationId, importId, repositoryId: repositoryId! });
  };
  for (const importId of [own, other]) await begin(importId);
  const { position = null, memory = null } = left({ own, other }) as Record<string, object | null>;
  await bench.sql`insert into streams (organization_id, repository_id, stream, state, position, memory)
    values (${organizationId}, ${repositoryId!}, 'pull_requests', 'processing', ${position as never}, ${memory as never})`;
  await bench.sql`update import_streams set state = 'processing', records_stored = case when import_id = ${own} then 10 else 4 end
    where repository_id = ${repositoryId!} and stream = 'pull_requests'`;
  await begin(own);
  const [row] = await bench.sql<{ stored: number }[]>`select records_stored::int as stored from import_streams
    where import_id = ${own} and stream = 'pull_requests'`;
  return row!.stored;
}

test.each([
  ['its own walk in hand', ({ own }: { own: string }) => ({ position: { import: own } }), 10],
  ["another import's walk in hand", ({ other }: { other: string }) => ({ position: { import: other } }), 4],
  [
    'a list that another import has ended',
    ({ other }: { other: string }) => ({ memory: { import: { importId: other } } }),
    0,
  ],
  [
    'a list that it has ended, in a closing round',
    ({ own }: { own: string }) => ({ memory: { import: { importId: own } } }),
    10,
  ],
])('an import that begins again with %s', async (_, left, counted) => {
  expect(await countedBehind(left)).toBe(counted);
});
