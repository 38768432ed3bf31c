import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createDatabase } from '../../db/client.ts';
import { createOperator } from '../../scripts/apiKeys/operator.ts';
import { verifyOrganization } from '../../scripts/oracle/verifyOrganization.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createTestDatabase, type TestDatabase } from '../support/database.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the command; answers how it ended and all that it said. */
const verify = (...args: string[]): Promise<{ code: number | null; said: string }> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [join(inject('servers').programs, 'scripts/verify.js'), ...args],
      { cwd: ROOT },
      (_, stdout, stderr) => resolve({ code: child.exitCode, said: `${stdout}${stderr}` }),
    );
  });

describe('npm run verify', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let organizationId: string;
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'verify-'));
    [database, simulator] = await Promise.all([createTestDatabase(), createSimulator({ size: 'tiny' })]);
    const operator = createOperator(database.ownerUrl);
    organizationId = await operator.createOrganization('acme');
    await operator.end();
  });
  afterAll(async () => {
    await simulator?.close();
    await database?.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const named = (simulatorUrl: string, databaseUrl: string): string[] => [
    '--simulator',
    simulatorUrl,
    '--database',
    databaseUrl,
    '--organization',
    organizationId,
  ];

  test('does not call it exact when nothing was imported, and names what was only discovered', async () => {
    expect(await verify(...named(simulator.url, database.workerUrl))).toEqual({
      code: 2,
      said: 'No repository was imported yet, so there is nothing to compare.\n',
    });
    const worker = createDatabase({ url: database.workerUrl, maxConnections: 1, applicationName: 'test' });
    const rows = (statement: ReturnType<typeof sql>) =>
      worker.transaction(organizationId, (tx) => tx.execute(statement));
    const [integration, workspace, repository] = [1, 2, 3].map(
      (n) => `00000000-0000-7000-8000-00000000000${n}`,
    );
    const owner = createDatabase({ url: database.ownerUrl, maxConnections: 1, applicationName: 'set up' });
    await owner.transaction(organizationId, (tx) =>
      tx.execute(sql`insert into integrations (id, organization_id, state)
        values (${integration}, ${organizationId}, 'awaiting_credential')`),
    );
    await owner.end();
    await rows(sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
      values (${workspace}, ${organizationId}, '{ws}', 'ws', 'ws', now())`);
    await rows(sql`insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name,
        is_private, raw, observed_at, integration_id)
      values (${repository}, ${organizationId}, ${workspace}, '{r}', 'r', 'r', 'ws/r', true, '{}', now(), ${integration})`);
    await rows(sql`insert into integration_repositories (organization_id, integration_id, repository_id)
      values (${organizationId}, ${integration}, ${repository})`);
    const found = await verifyOrganization({
      database: worker,
      organizationId,
      simulatorUrl: simulator.url,
    });
    await worker.end();
    expect(found).toMatchObject({ repositories: 0, notImported: ['ws/r'] });
    expect((await verify(...named(simulator.url, database.workerUrl))).said).toContain('not imported: ws/r');
  });

  test('says which server is down and what to do, without a stack', async () => {
    const nobody = 'postgres://a:b@127.0.0.1:1/c';
    for (const [args, what] of [
      [named('http://127.0.0.1:1', database.workerUrl), 'The simulator does not answer'],
      [named(simulator.url, nobody), 'Postgres does not answer'],
    ] as const) {
      const { code, said } = await verify(...args);
      expect(code).toBe(2);
      expect(said).toContain(what);
      expect(said).toContain('leave it running');
      expect(said).not.toMatch(/^ +at /m);
    }
  });

  test('writes nothing into a folder that no start has used, and explains an unknown option', async () => {
    const { code, said } = await verify('--data', join(folder, 'wrong'));
    expect({ code, said }).toMatchObject({ code: 2, said: expect.stringContaining('No start') });
    expect(await readdir(folder)).toEqual([]);
    const unknown = await verify('--folder', 'x');
    expect(unknown).toMatchObject({ code: 2, said: expect.stringContaining("'--folder'") });
    expect(unknown.said).not.toMatch(/^ +at /m);
  });
});
