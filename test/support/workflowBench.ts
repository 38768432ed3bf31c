import { type Client, type WorkflowHandle, WithStartWorkflowOperation } from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import postgres from 'postgres';
import { afterAll, beforeAll } from 'vitest';
import { createAutoImportActivities } from '../../activities/integrations/autoImport.ts';
import { createEstimateRows } from '../../activities/estimate/estimateRows.ts';
import { createImportActivities } from '../../activities/imports/imports.ts';
import { createIntegrationActivities } from '../../activities/integrations/integrations.ts';
import { createPollActivities } from '../../activities/poll/polls.ts';
import { createTellingActivities } from '../../activities/integrations/telling.ts';
import { createVanishedRows } from '../../activities/presence/vanishedRows.ts';
import { createQuarantineActivities } from '../../activities/quarantine/quarantine.ts';
import { createPurgeActivities, createRuns } from '../../activities/removal/purge.ts';
import { createRemovalActivities } from '../../activities/removal/removal.ts';
import { createRunControl } from '../../activities/removal/runControl.ts';
import { createWebhookRows } from '../../activities/webhooks/webhookRows.ts';
import { createRunLookup } from '../../activities/runs.ts';
import { createSyncActivities } from '../../activities/imports/syncs.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import type { AttemptsInHand } from '../../worker/attemptsInHand.ts';
import { integrationWorkflowId } from '../../workflows/ids.ts';
import type { integration } from '../../workflows/integration.ts';
import type { IntegrationTiming } from '../../workflows/messages.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createFakeBitbucket, type FakeBitbucket } from './fakeBitbucket.ts';
import { createTenant, type TestTenant } from './integrationRows.ts';
import { createWorkflowRig, type WorkflowRig, type WorkflowRun } from './workflows.ts';
import type { IntegrationState } from '../../workflows/words.ts';

export const actor = { apiKeyId: '01990000-0000-7000-8000-000000000001', actingUser: 'anna' };

/** A run of the workers, and the Bitbucket that is scripted for it. */
export type BenchRun = WorkflowRun & { bitbucket: FakeBitbucket };

/** The workflows with their real rows in Postgres; only what calls Bitbucket is scripted. */
export interface WorkflowBench {
  readonly sql: postgres.Sql;
  readonly database: Database;
  readonly testDatabase: TestDatabase;
  tenant(state?: IntegrationState, draftMs?: number): Promise<TestTenant>;
  /** What the next call of an activity does before its work, or behind it and before its run is told. */
  meanwhile(activity: string, what: Meanwhile): void;
  run(
    test: (run: BenchRun) => Promise<void>,
    options?: { unfinished?: () => readonly string[] },
  ): Promise<void>;
}

export interface Meanwhile {
  before?: () => Promise<unknown>;
  behind?: () => Promise<unknown>;
}

interface WorkflowBenchOptions {
  attempts?: (client: Client) => AttemptsInHand;
  discoveryIntervalMs?: number;
}

/** Called at the top of a test file: opens before its tests, closes behind them. */
export function useWorkflowBench(options: WorkflowBenchOptions = {}): WorkflowBench {
  let bench: Awaited<ReturnType<typeof createWorkflowBench>>;
  beforeAll(async () => {
    bench = await createWorkflowBench(options);
  });
  afterAll(() => bench.close());
  return {
    get sql() {
      return bench.sql;
    },
    get database() {
      return bench.database;
    },
    get testDatabase() {
      return bench.testDatabase;
    },
    tenant: (state, draftMs) => bench.tenant(state, draftMs),
    meanwhile: (activity, what) => bench.meanwhile(activity, what),
    run: (test, runOptions) => bench.run(test, runOptions),
  };
}

async function createWorkflowBench(
  options: WorkflowBenchOptions,
): Promise<WorkflowBench & { close(): Promise<void> }> {
  const testDatabase: TestDatabase = await createTestDatabase();
  const sql = postgres(testDatabase.superuserUrl, { max: 4, onnotice: () => {} });
  const database = createDatabase({
    url: testDatabase.workerUrl,
    maxConnections: 8,
    applicationName: 'workflow-test',
  });
  let bitbucket = createFakeBitbucket(sql);
  const meanwhiles = new Map<string, Meanwhile>();
  const rig: WorkflowRig = await createWorkflowRig((client, taskQueue) => {
    const isRunning = createRunLookup(client);
    const createRun = createRuns(database);
    const { attempts } = options;
    return {
      ...(attempts === undefined ? {} : { attempts: attempts(client) }),
      rowActivities: interruptible(meanwhiles, {
        ...createIntegrationActivities({ database }),
        ...createImportActivities({ database, isRunning }),
        ...createEstimateRows({ database }),
        ...createQuarantineActivities({ database }),
        ...createSyncActivities({ database, isRunning }),
        ...createPollActivities({
          database,
          client,
          taskQueue,
          intervalMs: 0,
          discovery: { intervalMs: options.discoveryIntervalMs ?? 0, goneAfterMs: 60 * 60_000 },
        }),
        ...createTellingActivities({ database, client }),
        ...createVanishedRows({ database }),
        ...createWebhookRows({ database }),
        ...createAutoImportActivities({ database }),
        ...createRemovalActivities({ database, createRun, runs: createRunControl(client) }),
      }),
      bitbucketActivities: interruptible(meanwhiles, {
        ...passedOn(() => bitbucket.activities),
        ...createPurgeActivities({ createRun, clones: { remove: async () => {} } }),
      }),
    };
  });
  return {
    sql,
    database,
    testDatabase,
    tenant: (state, draftMs) => createTenant(sql, state, draftMs),
    meanwhile: (activity, what) => void meanwhiles.set(activity, what),
    run(test, runOptions) {
      bitbucket = createFakeBitbucket(sql);
      const own = bitbucket;
      return rig.run((run) => test({ ...run, bitbucket: own }), runOptions);
    },
    async close() {
      await rig.close();
      await database.end();
      await sql.end();
      await testDatabase.drop();
    },
  };
}

/** The same activities, each of which does what it finds in `meanwhiles`, once. */
function interruptible<Activities extends object>(
  meanwhiles: Map<string, Meanwhile>,
  activities: Activities,
): Activities {
  const works = Object.entries(activities) as [string, (...args: unknown[]) => unknown][];
  return Object.fromEntries(
    works.map(([name, work]) => [
      name,
      async (...args: unknown[]) => {
        const { before, behind } = meanwhiles.get(name) ?? {};
        meanwhiles.delete(name);
        await before?.();
        const answer = await work(...args);
        await behind?.();
        return answer;
      },
    ]),
  ) as Activities;
}

/** Functions that call those of whichever object is the present one: workers outlive the test that they were made in. */
function passedOn<Functions extends object>(present: () => Functions): Functions {
  const names = Object.keys(present()) as (keyof Functions)[];
  return Object.fromEntries(
    names.map((name) => [
      name,
      (...args: unknown[]) => (present()[name] as (...args: unknown[]) => unknown)(...args),
    ]),
  ) as Functions;
}

/** Sends a command as the api does: with the snapshot, so that a run that was lost begins again. */
export async function command<Answer, Args>(
  { client, taskQueue }: { client: Client; taskQueue: string },
  tenant: TestTenant,
  definition: UpdateDefinition<Answer, [Args]>,
  args: Args,
  timing?: Partial<IntegrationTiming>,
): Promise<Answer> {
  const startWorkflowOperation = new WithStartWorkflowOperation<typeof integration>('integration', {
    workflowId: integrationWorkflowId(tenant.integrationId),
    taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    args: [{ snapshot: await tenant.snapshot(), ...(timing === undefined ? {} : { timing }) }],
  });
  return client.workflow.executeUpdateWithStart(definition, { startWorkflowOperation, args: [args] });
}

/** The problem code for which a command was refused. */
export async function refusalOf(sent: Promise<unknown>): Promise<string | undefined> {
  try {
    await sent;
  } catch (error) {
    const cause: unknown = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && 'type' in cause && 'details' in cause) {
      const [detail] = cause.details as [{ message: string; fix: string }];
      if (typeof detail.message !== 'string' || typeof detail.fix !== 'string') throw error;
      return String(cause.type);
    }
    throw error;
  }
  return undefined;
}

/** For the end of `run`: the integration's own run goes on. */
export const integrationGoesOn = ({ integrationId }: TestTenant) => ({
  unfinished: () => [integrationWorkflowId(integrationId)],
});

export const handleOf = (client: Client, tenant: TestTenant): WorkflowHandle =>
  client.workflow.getHandle(integrationWorkflowId(tenant.integrationId));

/** Events of the integration's first run. Throws where it continued as new: then it tells only a part. */
export async function eventsOfOnlyRun(client: Client, tenant: TestTenant): Promise<number> {
  const { events } = await handleOf(client, tenant).fetchHistory();
  const started = events?.[0]?.workflowExecutionStartedEventAttributes;
  if (started?.continuedExecutionRunId !== '') throw new Error('The integration has continued as new.');
  return events?.length ?? 0;
}
