import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { countDiscovered } from '../../../db/queries/api/integrations.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { countRowsRead } from '../../support/rowsRead.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

const REPOSITORIES = 400;
const PROJECTS = 20;

test('what is discovered is counted without reading all repositories for each project', async () => {
  const tenant = await bench.tenant('active');
  const ids = await tenant.repositories(REPOSITORIES);
  const { organizationId, integrationId } = tenant;
  const [first] = await bench.sql<{ workspace_id: string }[]>`
    select workspace_id from repositories where id = ${ids[0]!}`;
  for (let project = 0; project < PROJECTS; project += 1) {
    const id = uuid();
    await bench.sql`insert into projects (id, organization_id, workspace_id, provider_uuid, key, name, observed_at)
      values (${id}, ${organizationId}, ${first!.workspace_id}, ${`{${id}}`}, ${`P${project}`}, 'p', now())`;
    // The last project is left without a repository.
    if (project < PROJECTS - 1)
      await bench.sql`update repositories set project_id = ${id}
        where id = any (${ids.filter((_, at) => at % (PROJECTS - 1) === project)}::uuid[])`;
  }
  let counts: unknown;
  const read = await bench.inTenant(tenant, (tx) =>
    countRowsRead(tx, ['repositories', 'integration_repositories'], async () => {
      counts = await countDiscovered(tx, integrationId);
    }),
  );
  expect(counts).toMatchObject({ projects: PROJECTS - 1, repositories: REPOSITORIES });
  // Each a few times, old versions too, since they were written just now; as a join it was each of them for each project.
  expect(read).toBeLessThanOrEqual(5 * REPOSITORIES);
});
