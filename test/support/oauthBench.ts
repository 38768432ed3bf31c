import { afterAll, afterEach, beforeAll } from 'vitest';
import {
  type BitbucketEngine,
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type CredentialRows,
  type EngineOptions,
} from './bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { oauthTokens } from './oauthBrowser.ts';
import { createSimulator, type Simulator } from './simulator.ts';

export const TOKEN_PATH = '/site/oauth2/access_token';

type Credential = Parameters<BitbucketEngine['client']['get']>[0]['credential'];

/** Accounts connected by OAuth, at hosts that differ in how they take a refresh token that was used before. */
export interface OauthBench {
  /** re-use of a refresh token: taken for ten minutes, or not at all */
  readonly hosts: Record<'lenient' | 'strict', Simulator>;
  readonly keys: ReturnType<typeof createTestKeys>;
  readonly rows: CredentialRows;
  /** Another engine on the same rows, closed with the bench. */
  readonly engineFor: (host: Simulator, more?: Partial<EngineOptions>) => BitbucketEngine;
  /** An integration whose access token has ended, or (`null`) will be found ended by Bitbucket only. */
  readonly connected: (
    host: Simulator,
    accessExpiresAt?: string | null,
  ) => ReturnType<CredentialRows['integration']>;
}

/** Called at the top of a test file: opens before its tests, closes behind them; faults last for a test. */
export function useOauthBench(): OauthBench {
  const keys = createTestKeys();
  const engines: BitbucketEngine[] = [];
  const hosts = {} as OauthBench['hosts'];
  let testDatabase: TestDatabase;
  let rows: CredentialRows;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    rows = createCredentialRows(testDatabase, keys);
    hosts.lenient = await createSimulator({ limit: 0 });
    hosts.strict = await createSimulator({ limit: 0, oauth: { refreshLeewayMs: null } });
  });

  afterEach(() => {
    for (const host of Object.values(hosts)) host.faults.clear();
  });

  afterAll(async () => {
    await Promise.all(engines.map((engine) => engine.end()));
    await rows.end();
    await testDatabase.drop();
    await Promise.all(Object.values(hosts).map((host) => host.close()));
  });

  return {
    hosts,
    keys,
    get rows() {
      return rows;
    },
    engineFor(host, more = {}) {
      const engine = createBitbucketEngine({
        databaseUrl: testDatabase.workerUrl,
        keys,
        apiUrl: host.apiUrl,
        webUrl: host.url,
        consumer: host.consumer,
        ...more,
      });
      engines.push(engine);
      return engine;
    },
    async connected(host, accessExpiresAt = '2026-01-01T00:00:00Z') {
      const tokens = await oauthTokens(host, 'service');
      return rows.integration('oauth', tokens, accessExpiresAt === null ? {} : { accessExpiresAt });
    },
  };
}

/** Where the host's journal stands now. */
export const mark = (host: Simulator): number => host.journal.since(0).at(-1)?.sequence ?? 0;

/** How many requests for a path came since then. */
export const calls = (host: Simulator, since: number, path: string): number =>
  host.journal.since(since).filter((entry) => entry.path.split('?')[0] === path).length;

export const ask = (engine: BitbucketEngine, credential: Credential, evenIfRefused = false) =>
  engine.client.get({ credential, path: '/user', signal: new AbortController().signal, evenIfRefused });

/** A fault by which the token endpoint refuses, with the OAuth error in its body. */
export const refusing = (error: string, status = 400) => ({
  kind: 'status',
  status,
  content_type: 'application/json',
  body: JSON.stringify({ error, error_description: 'Invalid OAuth client credentials' }),
});
