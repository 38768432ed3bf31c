import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MockActivityEnvironment } from '@temporalio/testing';
import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import type { BitbucketClient } from '../../../activities/bitbucket/client.ts';
import { NotFound } from '../../../activities/bitbucket/errors.ts';
import { createRequestGate } from '../../../activities/bitbucket/requestGate.ts';
import { createGitActivities } from '../../../activities/commits/commits.ts';
import { createCloneFolder } from '../../../activities/git/cloneFolder.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import type { RequestLimits } from '../../../platform/requestLimits.ts';
import { Secret } from '../../../platform/secrets/secret.ts';
import type { ChunkResult } from '../../../workflows/contracts/streams.ts';
import type { ImportMode } from '../../../workflows/words.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createTestRepository, type TestRepository } from '../../support/gitRepository.ts';
import { type GitServer, startGitServer } from '../../support/gitServer.ts';

const notSeen = () =>
  new NotFound({ finding: { code: 'not_found', message: 'Nobody sees it.', remedy: 'Look elsewhere.' } });

/** Its name is its own; what has another one, or none, is seen by nobody. */
const namedAlone = ({ shown }: Subject): BitbucketClient => ({
  get: (request) =>
    'path' in request && request.path.endsWith('?fields=uuid')
      ? shown.get(request)
      : Promise.reject(notSeen()),
});

export const DIED = 'the worker died';
export const USERNAME = 'x-token-auth';
/** searched for where no secret may be */
export const CANARY = 'canary-3f9d51c07b';

/** A repository that a test imports: the git side, and its rows. */
export interface Subject {
  readonly git: TestRepository;
  readonly repositoryId: string;
  /** answers, asked by its uuid, that it is where it was */
  readonly shown: BitbucketClient;
  /** a new import of it */
  newImport(): Promise<string>;
}

export interface Place {
  readonly database: Database;
  readonly sql: postgres.Sql;
  /** how a worker reaches the database */
  readonly workerUrl: string;
  readonly server: GitServer;
  readonly organizationId: string;
  readonly integrationId: string;
  readonly folder: string;
  /** `fullName`: as another host knows it; its own is `ws/slug` */
  subject(slug: string, fullName?: string): Promise<Subject>;
  /** For a worker that dies at its nth transaction: before it, or after its commit when nobody hears the answer. */
  dyingDatabase(nth: number, when: 'before' | 'after'): Database;
  /** runs importGit as a worker with this clone folder would */
  importGit(run: RunOptions): Promise<ChunkResult>;
  close(): Promise<void>;
}

export interface RunOptions {
  subject: Subject;
  importId: string;
  mode?: ImportMode;
  /** name of the worker: each has a clone folder of its own */
  worker?: string;
  /** another host than the place's own, and who signs in there */
  host?: { url: string; username: string; password: string };
  password?: string;
  environment?: MockActivityEnvironment;
  /** default: an account for each import */
  accountKey?: string;
  limits?: RequestLimits;
  /** instead of the place's database */
  database?: Database;
  /** who answers when the repository is asked for; default: it is seen by its name, and nobody sees it by its uuid */
  client?: BitbucketClient;
}

/** Postgres with the rows that an import needs, and a git server with one user. */
export async function createPlace(): Promise<Place> {
  const testDatabase: TestDatabase = await createTestDatabase();
  const folder = await mkdtemp(join(tmpdir(), 'bucket-brigade-git-'));
  const root = join(folder, 'served');
  const server = await startGitServer({ root, username: USERNAME, password: CANARY });
  const database = createDatabase({
    url: testDatabase.workerUrl,
    maxConnections: 4,
    applicationName: 'git test',
  });
  const sql = postgres(testDatabase.superuserUrl, { max: 2, onnotice: () => {} });
  const [organizationId, integrationId, workspaceId] = [uuid(), uuid(), uuid()];
  const workspaceUuid = `{${workspaceId}}`;
  await sql`insert into organizations (id, name) values (${organizationId}, 'git test')`;
  await sql`insert into integrations (id, organization_id, name, state, services, credential_id)
    values (${integrationId}, ${organizationId}, 'git', 'active', '{repositories,pull_requests,tickets}', ${uuid()})`;
  await sql`insert into workspaces (id, organization_id, provider_uuid, slug, name, observed_at)
    values (${workspaceId}, ${organizationId}, ${workspaceUuid}, 'ws', 'ws', now())`;

  return {
    database,
    sql,
    workerUrl: testDatabase.workerUrl,
    server,
    organizationId,
    integrationId,
    folder,
    async subject(slug, fullName = `ws/${slug}`) {
      const repositoryId = uuid();
      const providerUuid = `{${repositoryId}}`;
      const workspace = { uuid: workspaceUuid, slug: 'ws' };
      const json = { uuid: providerUuid, full_name: fullName, slug, is_private: true, workspace };
      await sql`insert into repositories
        (id, organization_id, workspace_id, provider_uuid, slug, name, full_name, is_private, raw, observed_at)
        values (${repositoryId}, ${organizationId}, ${workspaceId}, ${providerUuid}, ${slug}, ${slug}, ${fullName},
          true, '{}', now())`;
      return {
        git: createTestRepository(join(root, 'ws', `${slug}.git`)),
        repositoryId,
        shown: {
          get: async () => ({
            status: 200,
            json,
            bytes: Buffer.from(JSON.stringify(json)),
            observedAt: new Date().toISOString(),
            date: undefined,
            scopes: {},
          }),
        },
        async newImport() {
          const importId = uuid();
          await sql`insert into imports (id, organization_id, integration_id, mode, selection)
            values (${importId}, ${organizationId}, ${integrationId}, 'changed', '{"all":true}')`;
          await sql`insert into import_repositories (organization_id, import_id, repository_id, place)
            values (${organizationId}, ${importId}, ${repositoryId}, 1)`;
          return importId;
        },
      };
    },
    dyingDatabase(nth, when) {
      let count = 0;
      return {
        ...database,
        async transaction(organization, work) {
          count += 1;
          if (count >= nth && when === 'before') throw new Error(DIED);
          const result = await database.transaction(organization, work);
          if (count >= nth) throw new Error(DIED);
          return result;
        },
      };
    },
    importGit(run) {
      const cloneFolder = join(folder, 'clones', run.worker ?? 'worker');
      const activities = createGitActivities({
        database: run.database ?? database,
        gate: createRequestGate({ database: run.database ?? database, limits: run.limits ?? {} }),
        credentials: {
          ofIntegration: async () => ({ organizationId, credentialId: uuid() }),
          gitCredential: async () => ({
            username: run.host?.username ?? USERNAME,
            version: 1,
            accountKey: run.accountKey ?? run.importId,
            password: new Secret(run.host?.password ?? run.password ?? CANARY),
          }),
          renew: async () => false,
          renewalDidNotHelp: () => {},
        },
        webUrl: run.host?.url ?? server.url,
        cloneFolder,
        clones: createCloneFolder({ folder: cloneFolder, maxBytes: Number.POSITIVE_INFINITY }),
        client: run.client ?? namedAlone(run.subject),
      });
      const input = {
        organizationId,
        integrationId,
        repositoryId: run.subject.repositoryId,
        importId: run.importId,
        mode: run.mode ?? ('changed' as const),
      };
      const environment = run.environment ?? new MockActivityEnvironment();
      return environment.run<[typeof input], ChunkResult, typeof activities.importGit>(
        activities.importGit,
        input,
      );
    },
    async close() {
      await server.close();
      await database.end();
      await sql.end();
      await testDatabase.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
