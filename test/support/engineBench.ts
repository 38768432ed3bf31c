import { afterAll, beforeAll } from 'vitest';
import type { SimulatorOptions } from '../../simulator/options.ts';
import {
  type BitbucketEngine,
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type CredentialRows,
  type EngineOptions,
} from './bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { integrationWith } from './presentedCredential.ts';
import { createSimulator, type Simulator } from './simulator.ts';

/** The engine's side of Bitbucket against a simulator without a limit, with a database of the test file's own. */
export interface EngineBench {
  readonly simulator: Simulator;
  readonly engine: BitbucketEngine;
  readonly rows: CredentialRows;
  readonly database: TestDatabase;
  /** Another engine on the same rows; the caller ends it. */
  anotherEngine(options: Partial<EngineOptions>): BitbucketEngine;
  /** An integration that signs with a credential of the simulator's list, in its own organization unless one is given. */
  readonly connect: (
    credential?: string,
    organizationId?: string,
  ) => ReturnType<CredentialRows['integration']>;
}

/** Called at the top of a test file: opens before its tests, closes behind them. */
export function useEngineBench({
  simulator: simulatorOptions = {},
  engine: engineOptions = {},
}: {
  simulator?: Partial<SimulatorOptions>;
  engine?: Partial<EngineOptions>;
} = {}): EngineBench {
  const keys = createTestKeys();
  let testDatabase: TestDatabase;
  let rows: CredentialRows;
  let simulator: Simulator;
  let engine: BitbucketEngine;

  const createEngine = (options: Partial<EngineOptions>): BitbucketEngine =>
    createBitbucketEngine({
      databaseUrl: testDatabase.workerUrl,
      keys,
      apiUrl: simulator.apiUrl,
      webUrl: simulator.url,
      ...options,
    });

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    rows = createCredentialRows(testDatabase, keys);
    simulator = await createSimulator({ limit: 0, ...simulatorOptions });
    engine = createEngine(engineOptions);
  });

  afterAll(async () => {
    await engine.end();
    await rows.end();
    await testDatabase.drop();
    await simulator.close();
  });

  return {
    get simulator() {
      return simulator;
    },
    get engine() {
      return engine;
    },
    get rows() {
      return rows;
    },
    get database() {
      return testDatabase;
    },
    anotherEngine: createEngine,
    connect: (credential = 'api_token.admin', organizationId) =>
      integrationWith({ rows, simulator }, credential, organizationId),
  };
}
