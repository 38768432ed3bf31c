import { expect, test } from 'vitest';
import { readKnowledge } from '../../../db/queries/checkpoints.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

const bench = useDatabaseBench({ role: 'worker', maxConnections: 1 });

/** As a repository of 10,000 branches has them. */
const heads = Array.from({ length: 10_000 }, (_, index) => index.toString(16).padStart(40, '0'));

test('what is known of all streams, read with each chunk, leaves the heads of the commits where they are', async () => {
  const tenant = await bench.tenant('active');
  const [repositoryId] = await tenant.repositories(1);
  const scope = { organizationId: tenant.organizationId, repositoryId: repositoryId! };
  const left = { importId: 'one', round: 0 };
  const started = '2026-02-03T04:05:06+00:00';
  const streams = [
    { stream: 'commits', watermark: null, memory: { completed: heads, import: left } },
    { stream: 'pull_requests', watermark: started, memory: { empty: false, import: left } },
    { stream: 'pull_request_activity', watermark: null, memory: { short: { 7: started }, started } },
    { stream: 'refs', watermark: null, memory: null },
  ];
  for (const { stream, watermark, memory } of streams)
    await bench.sql`insert into streams (organization_id, repository_id, stream, watermark, memory)
      values (${scope.organizationId}, ${scope.repositoryId}, ${stream}, ${watermark}, ${bench.sql.json(memory)})`;

  const known = await bench.inTenant(tenant, (tx) => readKnowledge(tx, scope));

  expect(Object.fromEntries(known)).toEqual({
    commits: { watermark: null, import: left, started: null },
    pull_requests: { watermark: expect.stringContaining('2026-02-03'), import: left, started: null },
    pull_request_activity: { watermark: null, import: null, started },
    refs: { watermark: null, import: null, started: null },
  });
});
