import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { sql } from 'drizzle-orm';
import { v7 as uuid } from 'uuid';
import { createBitbucketClient, type BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { createRequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { createStreamActivities, type StreamActivitiesOptions } from '../../../activities/streams/streams.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { verifyOrganization } from '../../../scripts/oracle/verifyOrganization.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import type { SimulatorOptions } from '../../../simulator/options.ts';
import type { ChunkResult } from '../../../workflows/contracts/streams.ts';
import type { ImportMode, Stream } from '../../../workflows/words.ts';
import { signerOf } from '../../support/bareClient.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

export const API_STREAMS: Stream[] = [
  'pull_requests',
  'pull_request_activity',
  'pull_request_comments',
  'tickets',
  'ticket_comments',
  'ticket_changes',
];

type Row = Record<string, unknown>;

/** One organization with an integration, and the repositories of a simulator to import with `importChunk` alone. */
export interface Situation {
  simulator: Simulator;
  database: Database;
  testDatabase: TestDatabase;
  organizationId: string;
  integrationId: string;
  bitbucket: BitbucketClient;
  /** Stores a repository as discovery would; its id */
  repository(fullName: string): Promise<string>;
  startImport(repositoryId: string, mode?: ImportMode): Promise<ImportInput>;
  chunk(input: ImportInput, options?: Partial<StreamActivitiesOptions>): Promise<ChunkResult>;
  /** Chunk after chunk until done. */
  importAll(input: ImportInput, options?: Partial<StreamActivitiesOptions>): Promise<ChunkResult[]>;
  rows(query: ReturnType<typeof sql>): Promise<Row[]>;
  streamStates(input: ImportInput): Promise<Row[]>;
  /** What the oracle finds: '' when all is equal. */
  differences(): Promise<string>;
  close(): Promise<void>;
}

export interface ImportInput {
  organizationId: string;
  integrationId: string;
  repositoryId: string;
  importId: string;
  mode: ImportMode;
  streams: Stream[];
}

export async function createSituation(options: Partial<SimulatorOptions> = {}): Promise<Situation> {
  const [testDatabase, simulator] = await Promise.all([
    createTestDatabase(),
    createSimulator({ era: 'guide', size: 'tiny', limit: 0, ...options }),
  ]);
  const database = createDatabase({
    url: testDatabase.workerUrl,
    maxConnections: 4,
    applicationName: 'streams test',
  });
  const bitbucket = createBitbucketClient({
    apiUrl: simulator.apiUrl,
    signer: signerOf(simulator),
    gate: createRequestGate({ database }),
  });
  return situationOf({
    testDatabase,
    simulator,
    database,
    bitbucket,
    ...(await createOrganization(testDatabase)),
  });
}

async function createOrganization(testDatabase: TestDatabase) {
  const organizationId = uuid();
  const integrationId = uuid();
  const workspaceId = uuid();
  const owner = createDatabase({ url: testDatabase.ownerUrl, maxConnections: 1, applicationName: 'set up' });
  await owner.transaction(organizationId, async (tx) => {
    const credentialId = uuid();
    await tx.execute(sql`insert into organizations (id, name) values (${organizationId}, ${organizationId})`);
    await tx.execute(sql`insert into integrations (id, organization_id, state, name, services, credential_id)
      values (${integrationId}, ${organizationId}, 'active', 'test', '{repositories,pull_requests,tickets}', ${credentialId})`);
    await tx.execute(sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
      values (${workspaceId}, ${organizationId}, '{ws}', 'ws', 'ws', now())`);
  });
  await owner.end();
  return { organizationId, integrationId, workspaceId };
}

interface Parts extends Awaited<ReturnType<typeof createOrganization>> {
  testDatabase: TestDatabase;
  simulator: Simulator;
  database: Database;
  bitbucket: BitbucketClient;
}

function situationOf(parts: Parts): Situation {
  const { testDatabase, simulator, database, bitbucket, organizationId, integrationId, workspaceId } = parts;
  // Whatever a test puts on the wire to the host, the truth is told past it.
  const truthUrl = `http://127.0.0.1:${String(simulator.port)}`;
  const rows = (query: ReturnType<typeof sql>) =>
    database.transaction(organizationId, async (tx) => [...(await tx.execute(query))]);

  async function chunk(input: ImportInput, options: Partial<StreamActivitiesOptions> = {}) {
    const activities = createStreamActivities({ database, bitbucket, ...options });
    return new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run<
      [ImportInput],
      ChunkResult,
      typeof activities.importChunk
    >(activities.importChunk, input);
  }

  async function truthOf(fullName: string): Promise<Row> {
    const answer = await fetch(`${truthUrl}/_simulator/state?git=no`);
    const lines = (await answer.text()).split('\n').filter((line) => line.includes('"kind":"repository"'));
    const found = lines.map((line) => JSON.parse(line) as Row).find((line) => line['full_name'] === fullName);
    if (found === undefined) throw new Error(`the simulator has no ${fullName}`);
    return found;
  }

  return {
    simulator,
    database,
    testDatabase,
    organizationId,
    integrationId,
    bitbucket,
    rows,
    chunk,
    async repository(fullName) {
      const truth = await truthOf(fullName);
      const id = uuid();
      const text = (name: string) => truth[name] as string | null;
      await rows(sql`insert into repositories (id, organization_id, workspace_id, provider_uuid, slug, name, full_name,
          description, is_private, main_branch, created_on, raw, observed_at, integration_id)
        values (${id}, ${organizationId}, ${workspaceId}, ${text('repository')}, ${text('slug')}, ${text('name')},
          ${fullName}, ${text('description')}, ${truth['is_private'] === true}, ${text('main_branch')},
          ${text('created_on')}, '{}', now(), ${integrationId})`);
      return id;
    },
    async startImport(repositoryId, mode = 'changed') {
      const importId = uuid();
      await rows(sql`insert into imports (id, organization_id, integration_id, mode, selection)
        values (${importId}, ${organizationId}, ${integrationId}, ${mode}, '{}')`);
      await rows(sql`insert into import_repositories (organization_id, import_id, repository_id, place)
        values (${organizationId}, ${importId}, ${repositoryId}, 1)`);
      return { organizationId, integrationId, repositoryId, importId, mode, streams: API_STREAMS };
    },
    async importAll(input, options) {
      const results: ChunkResult[] = [];
      for (;;) {
        const result = await chunk(input, options);
        results.push(result);
        if (result.done) return results;
        if (result.limited !== undefined) throw new Error(`limited: ${result.limited.why}`);
        if (results.length > 500) throw new Error('the import does not end');
      }
    },
    streamStates: ({ importId }) =>
      rows(sql`select stream, state, records_stored::int as stored, records_expected::int as expected, expected_basis as basis,
          quarantined::int as quarantined, requests::int as requests
        from import_streams where import_id = ${importId} order by stream`),
    async differences() {
      const found = await verifyOrganization({ database, organizationId, simulatorUrl: truthUrl });
      return found.examples.join('\n');
    },
    async close() {
      await Promise.all([simulator.close(), database.end()]);
      await testDatabase.drop();
    },
  };
}
