import { execFile } from 'node:child_process';
import { delimiter, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Connection } from '@temporalio/client';
import { expect, inject, it } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../../docker/temporal/setup-namespace.sh', import.meta.url));

it('docker/temporal/setup-namespace.sh makes namespace and search attributes, and may run again', async () => {
  const { temporalAddress, temporalCli } = inject('servers');
  const run = (searchAttributes: string): Promise<unknown> =>
    promisify(execFile)('sh', [SCRIPT], {
      env: {
        ...process.env,
        PATH: `${dirname(temporalCli)}${delimiter}${process.env['PATH']}`,
        TEMPORAL_ADDRESS: temporalAddress,
        TEMPORAL_NAMESPACE: 'production-like',
        RETENTION: '72h',
        SEARCH_ATTRIBUTES: searchAttributes,
      },
    });
  await run('IntegrationId Stage');
  // The second time one is there already and one is new.
  await run('Stage RepositoryId');

  const connection = await Connection.connect({ address: temporalAddress });
  const namespace = 'production-like';
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const { config } = await connection.workflowService.describeNamespace({ namespace });
  await connection.close();
  expect(Object.keys(customAttributes ?? {})).toEqual(
    expect.arrayContaining(['IntegrationId', 'Stage', 'RepositoryId']),
  );
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(72 * 3600);
}, 60_000);
