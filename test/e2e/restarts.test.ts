import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { migrate } from '../../db/migrate.ts';
import { API_ROLE, OWNER_ROLE, provision, WORKER_ROLE } from '../../db/provision.ts';
import { type RunningPostgres, startPostgres } from '../../scripts/servers/embeddedPostgres.ts';
import { type RunningTemporal, startTemporal } from '../../scripts/servers/temporalDevServer.ts';
import { SEARCH_ATTRIBUTES } from '../../workflows/searchAttributes.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { storedSoFar } from '../support/importRows.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

const DATABASE = 'restarts';

const SLUGS = ['api-stopped', 'api-killed', 'temporal', 'postgres-fast', 'postgres-immediate'];
const WORLD = acmeWorld(SLUGS.map((slug) => ({ slug, pullRequests: 60, commits: 150, tickets: 15 })));

let folder: string;
let postgres: RunningPostgres;
let temporal: RunningTemporal;
let stack: Stack;
let integrationId: string;

const openPostgres = (port?: number): Promise<RunningPostgres> =>
  startPostgres({
    folder: join(folder, 'postgres'),
    persistent: false,
    log: () => {},
    ...(port === undefined ? {} : { port }),
  });

const openTemporal = (port?: number): Promise<RunningTemporal> =>
  startTemporal({
    executable: inject('servers').temporalCli,
    namespace: inject('servers').temporalNamespace,
    searchAttributes: SEARCH_ATTRIBUTES,
    dbFile: join(folder, 'temporal.db'),
    log: () => {},
    ...(port === undefined ? {} : { port }),
  });

/** The same database as seen by each role. */
function urls(server: string, passwords: { owner: string; api: string; worker: string }) {
  const of = (role: string, password: string): string => {
    const url = new URL(server);
    [url.pathname, url.username, url.password] = [DATABASE, role, password];
    return url.href;
  };
  return {
    superuserUrl: Object.assign(new URL(server), { pathname: DATABASE }).href,
    ownerUrl: of(OWNER_ROLE, passwords.owner),
    apiUrl: of(API_ROLE, passwords.api),
    workerUrl: of(WORKER_ROLE, passwords.worker),
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'restarts-'));
  // Under root Postgres runs as another user, who must get in.
  await chmod(folder, 0o755);
  [postgres, temporal] = await Promise.all([openPostgres(), openTemporal()]);
  const passwords = { owner: 'of-the-owner', api: 'of-the-api', worker: 'of-the-worker' };
  await provision({ adminUrl: postgres.url, database: DATABASE, passwords });
  const database = urls(postgres.url, passwords);
  await migrate({ ownerUrl: database.ownerUrl });
  stack = await createStack({
    simulator: { era: 'guide', world: WORLD },
    temporalAddress: temporal.address,
    database,
  });
  stack.simulator.faults.set({
    rules: [{ match: { path: '/pullrequests|/issues' }, fault: { kind: 'delay', ms: 150 } }],
  });
  integrationId = await activeIntegration(stack);
});

afterAll(async () => {
  await stack?.close();
  await Promise.allSettled([postgres?.stop(), temporal?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

/** Starts the import of one repository and gives it back once it is well under way. */
async function midImport(slug: string): Promise<string> {
  const all = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
  const repository = all.find(({ full_name: name }) => name === `acme/${slug}`);
  const importId = await startImport(stack, integrationId, { repositories: [repository.id] });
  await waitFor({
    what: 'pull requests are being read',
    read: () => storedSoFar(stack, importId),
    until: ({ records, commits }) => commits > 0 && records > commits + 60,
    timeoutMs: 60_000,
    intervalMs: 20,
  });
  return importId;
}

/** It must end well by itself, and nothing may have died on the way. */
async function completes(importId: string): Promise<void> {
  const ended = await importEnded(stack, importId);
  await expectExact(stack);
  expect(ended.state).toBe('completed');
  expect(stack.exits()).toEqual([]);
}

test.each(['stop', 'kill'] as const)('the api is restarted in the middle of an import (%s)', async (how) => {
  const importId = await midImport(how === 'stop' ? 'api-stopped' : 'api-killed');
  expect((await storedSoFar(stack, importId)).inHand).toBe(1);
  await stack.restartApi(how);
  await completes(importId);
});

test('Temporal crashes in the middle of an import and comes back', async () => {
  const importId = await midImport('temporal');
  const { address } = temporal;
  await temporal.kill();
  expect((await storedSoFar(stack, importId)).inHand).toBe(1);
  temporal = await openTemporal(Number(address.split(':')[1]));
  expect(temporal.address).toBe(address);
  await completes(importId);
});

test.each([
  ['fast', 'postgres-fast'],
  ['immediate', 'postgres-immediate'],
] as const)('Postgres is restarted in the middle of an import (%s)', async (how, slug) => {
  const importId = await midImport(slug);
  const { port } = postgres;
  expect((await storedSoFar(stack, importId)).inHand).toBe(1);
  if (how === 'fast') await postgres.stop();
  else process.kill(postgres.pid, 'SIGQUIT');
  await postgres.exited;
  postgres = await openPostgres(port);
  const backAt = Date.now();
  expect(postgres.port).toBe(port);
  const { records } = await storedSoFar(stack, importId);
  await waitFor({
    what: 'the import goes on within ten seconds',
    read: () => storedSoFar(stack, importId),
    until: (now) => now.records !== records || now.inHand === 0,
  });
  console.info(`goes on ${Date.now() - backAt} ms after Postgres`);
  await completes(importId);
});
