import { MockActivityEnvironment } from '@temporalio/testing';
import { expect, test } from 'vitest';
import { markStream, openStream } from '../../../activities/streams/checkpoint.ts';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { presentFinding } from '../../../api/schemas/finding.ts';
import type { Finding } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';

// What git says of a host's words may be cut in the middle of a character, or hold a NUL.
const UNSTORABLE: Finding = {
  code: 'upstream_error',
  message: 'Bitbucket could not serve the clone: \u0000 \ud83d',
  remedy: 'Nothing to do: it is tried again by itself.',
};

const bench = useDatabaseBench({ role: 'worker' });

test('an error with text that Postgres refuses is stored for stream and repository, and read back unchanged', async () => {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const [repositoryId = ''] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const activities = createImportActivities({
    database: bench.database,
    isRunning: () => Promise.resolve(true),
  });
  await new MockActivityEnvironment().run(() =>
    activities.prepareImport({ organizationId, integrationId, importId }),
  );

  const stream = { organizationId, repositoryId, importId, stream: 'commits' as const };
  const { epoch } = await openStream(bench.database, stream);
  await bench.database.transaction(organizationId, (tx) =>
    markStream(tx, { ...stream, epoch }, { state: 'failed', error: UNSTORABLE }),
  );
  await activities.finishRepository({
    organizationId,
    integrationId,
    importId,
    repositoryId,
    state: 'failed',
    error: UNSTORABLE,
  });

  const stored = await bench.sql<{ error: Finding }[]>`
    select last_error as error from streams where repository_id = ${repositoryId}
    union all select last_error from import_streams where repository_id = ${repositoryId}
    union all select error from import_repositories where repository_id = ${repositoryId}`;
  expect(stored.map(({ error }) => presentFinding(error))).toEqual([UNSTORABLE, UNSTORABLE, UNSTORABLE]);
});
