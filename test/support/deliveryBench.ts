import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { v7 as uuid } from 'uuid';
import { inject } from 'vitest';
import { createGitActivities } from '../../activities/commits/commits.ts';
import { createCloneFolder } from '../../activities/git/cloneFolder.ts';
import { createImportActivities } from '../../activities/imports/imports.ts';
import { createPollActivities, createPollQuestions } from '../../activities/poll/polls.ts';
import { createSmallImport } from '../../activities/imports/smallImport.ts';
import { createStreamActivities } from '../../activities/streams/streams.ts';
import { createSyncActivities } from '../../activities/imports/syncs.ts';
import { createDatabase, type Transaction } from '../../db/client.ts';
import { createLogger } from '../../platform/log.ts';
import { verifyOrganization } from '../../scripts/oracle/verifyOrganization.ts';
import type { RecordedDelivery } from '../../simulator/webhooks/deliveryJournal.ts';
import type { SimulatorOptions } from '../../simulator/options.ts';
import { createRelayMetrics } from '../../worker/relay/relayMetrics.ts';
import { takeUp } from '../../worker/relay/takeUp.ts';
import { createWakeBuffer } from '../../worker/relay/wakeBuffer.ts';
import { createWakeRound } from '../../worker/relay/wakeRound.ts';
import type { Waker } from '../../worker/relay/waker.ts';
import { openParts, takeUp as takeUpParts } from '../../workflows/import/parts.ts';
import type { Finding, Service } from '../../workflows/words.ts';
import {
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  inActivity,
} from './bitbucketEngine.ts';
import { createTestDatabase } from './database.ts';
import { createLocalApi, WEBHOOK_KEY } from './localApi.ts';
import { integrationWith } from './presentedCredential.ts';
import { RECORD_TABLES } from './recordTables.ts';
import { createSimulator } from './simulator.ts';
import { createHook } from './webhooks.ts';

/** An event of the source that nobody was told of yet. */
export type Event = RecordedDelivery;

/** As at Bitbucket: what is larger is silently not sent. */
export const LARGEST_BYTES = 256 * 1024;

/**
 * All that lies between a change at Bitbucket and its rows, step by step in this process: the simulator's events, the
 * api's receiver, the relay, poll rounds, and syncs by the activities of their runs. Nothing happens unless it is called
 * for, so a test decides what comes before what. What Temporal adds (one run a repository at a time, and hints kept while it
 * reads) is done as its workflows do it.
 */
export async function createDeliveryBench(options: Partial<SimulatorOptions>) {
  const keys = createTestKeys();
  const [testDatabase, simulator, folder] = await Promise.all([
    createTestDatabase(),
    createSimulator({ era: 'guide', limit: 0, ...options }),
    mkdtemp(join(tmpdir(), 'bucket-brigade-deliveries-')),
  ]);
  const rows = createCredentialRows(testDatabase, keys);
  const { sql } = rows;
  const engine = createBitbucketEngine({
    databaseUrl: testDatabase.workerUrl,
    keys,
    apiUrl: simulator.apiUrl,
    webUrl: simulator.url,
  });
  const { database, client: bitbucket, credentials, gate } = engine;
  const api = createLocalApi({ databaseUrl: testDatabase.apiUrl });
  const apiDatabase = createDatabase({
    url: testDatabase.apiUrl,
    maxConnections: 1,
    applicationName: 'deliveries',
  });
  const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
  const connection = Connection.lazy({ address });
  const temporal = { client: new Client({ connection, namespace }), taskQueue: 'nobody-listens' };

  const { organizationId, integrationId } = await integrationWith({ rows, simulator }, 'api_token.admin');
  const ids = { organizationId, integrationId };
  await sql`update integrations set state = 'active', name = 'Acme' where id = ${integrationId}`;

  /** repositories that a run reads, and the hints that came meanwhile */
  const reading = new Map<string, Set<Service>>();
  const imports = createImportActivities({ database, isRunning: async () => false });
  const syncs = createSyncActivities({ database, isRunning: async () => false });
  const { importChunk, linkCommits } = createStreamActivities({ database, bitbucket });
  const { importChunk: importRequest } = createStreamActivities({
    database,
    bitbucket,
    limits: { requests: 1 },
  });
  const cloneFolder = join(folder, 'clones');
  const clones = createCloneFolder({ folder: cloneFolder, maxBytes: Number.POSITIVE_INFINITY });
  const git = createGitActivities({
    database,
    gate,
    credentials,
    webUrl: simulator.url,
    cloneFolder,
    clones,
    client: bitbucket,
  });

  /** As `importRepository`: part after part, chunk after chunk. `between`: chunks are of one request, and it is called behind each. */
  async function readAll(of: { repositoryId: string; importId: string }, between?: () => Promise<void>) {
    const begun = await imports.beginRepository({ ...ids, ...of });
    const nothing = { paused: null, progress: { records: 0, requests: 0, expected: null } };
    let todo = takeUpParts(begun, undefined, nothing);
    for (let [part] = openParts(todo); part !== undefined; [part] = openParts(todo)) {
      const asked = { ...ids, ...of, mode: begun.mode };
      const { kind, streams } = part;
      const importApi = between === undefined ? importChunk : importRequest;
      const importSmall = createSmallImport({
        importGit: git.importGit,
        importChunk: importApi,
        linkCommits,
      });
      const { done, gitDone } = await inActivity(() => {
        if (kind === 'git') return git.importGit(asked);
        return (kind === 'small' ? importSmall : importApi)({ ...asked, streams });
      });
      if (gitDone === true) todo = { ...todo, gitDone };
      if (done) todo = { ...todo, [kind === 'small' ? 'apiDone' : `${kind}Done`]: true };
      await between?.();
    }
    const { state } = await imports.finishRepository({ ...ids, ...of, state: 'completed' });
    if (state !== 'completed') throw new Error(`the repository ended as ${String(state)}`);
  }

  /** As `syncRepository`: an import goes first, and what comes while a sync reads is read by another. */
  async function sync(repositoryId: string, services: readonly Service[]): Promise<void> {
    const waiting = reading.get(repositoryId);
    if (waiting !== undefined) {
      for (const service of services) waiting.add(service);
      return;
    }
    const syncId = uuid();
    const begun = await syncs.beginSync({ ...ids, repositoryId, syncId, services: [...services] });
    if (begun.outcome !== 'begun') return;
    await whileReading(repositoryId, async () => {
      await readAll({ repositoryId, importId: syncId });
      const { state } = await syncs.finishSync({
        ...ids,
        repositoryId,
        syncId,
        firstParkedMs: 1_000,
        mostParkedMs: 1_000,
      });
      if (state !== 'completed') throw new Error(`the sync ended as ${state}`);
    });
  }

  async function whileReading(repositoryId: string, read: () => Promise<void>): Promise<void> {
    const waiting = new Set<Service>();
    reading.set(repositoryId, waiting);
    try {
      await read();
    } finally {
      reading.delete(repositoryId);
    }
    if (waiting.size > 0) await sync(repositoryId, [...waiting]);
  }

  const waker: Waker = {
    sync: ({ repositoryId, services }) => sync(repositoryId, services),
    async discover() {
      await discover();
      return true;
    },
  };
  const log = createLogger({ service: 'worker', level: 'silent' });
  const metrics = createRelayMetrics(undefined);

  async function discover(): Promise<void> {
    for (let cursor: string | null = null; ; ) {
      ({ cursor } = await inActivity(() => engine.discovery.discoverChunk({ ...ids, cursor })));
      if (cursor === null) return;
    }
  }

  await discover();
  await sql`delete from integration_repositories where integration_id = ${integrationId}`;
  await sql`delete from repositories where organization_id = ${organizationId}`;
  const hook = await createHook(sql, ids, { key: WEBHOOK_KEY });
  for (const workspace of await sql<{ slug: string }[]>`select slug from workspaces`) {
    await simulator.mutate({ kind: 'hook.create', workspace: workspace.slug, url: 'http://127.0.0.1:1/' });
  }
  // Kept in the simulator's journal; the test sends them.
  simulator.webhooks.faults.set({ rules: [{ fault: { kind: 'lose' } }] });

  return {
    ...ids,
    sql,
    simulator,
    discover,
    sync,
    /** As the api's routes do. */
    asApi: <T>(work: (tx: Transaction) => Promise<T>) => apiDatabase.transaction(organizationId, work),
    mutate: (kind: string, more: Record<string, unknown>) => simulator.mutate({ kind, ...more }),
    /** A place among the source's events, for `since`. */
    mark: (): number => simulator.webhooks.journal.since(0).at(-1)?.entry.sequence ?? 0,
    since: (place: number): Event[] => simulator.webhooks.journal.since(place),
    /** Sends an event as Bitbucket does; throws unless the receiver has taken it. */
    async deliver({ delivery: { event, body } }: Event): Promise<void> {
      const sent = hook.delivery(event, body);
      const answer = await api.send(hook.path, { method: 'POST', ...sent });
      if (answer.status !== 202) throw new Error(`the receiver answered ${answer.status}`);
    },
    /** Hands on all that was delivered, as the relay does, and ends when what it wakes has ended. */
    async relay(): Promise<void> {
      // Its seconds are over: the right to wake, and what came again and is due a minute later.
      await sql`delete from webhook_wakes`;
      await sql`update webhook_deliveries set due_at = now() where due_at is not null`;
      const buffer = createWakeBuffer();
      for (const wake of (await takeUp(database, 10_000)).wakes) buffer.add(wake);
      const { failed } = await createWakeRound({ database, waker, buffer, log, metrics })();
      if (failed > 0) throw new Error('a wake failed');
    },
    /** The same, by a worker that dies before it wakes anybody. */
    async takeUpAndDie(): Promise<void> {
      await takeUp(database, 10_000);
    },
    /** A whole poll round, and all that it wakes; `between` is called behind each request. */
    async poll(between?: () => Promise<unknown>): Promise<void> {
      const polls = createPollActivities({
        database,
        ...temporal,
        intervalMs: 60_000,
        discovery: { intervalMs: 0, goneAfterMs: 60_000 },
      });
      const woken = new Map<string, Set<Service>>();
      const questions = createPollQuestions({
        database,
        bitbucket: {
          get: async (request) => {
            const answer = await bitbucket.get(request);
            await between?.();
            return answer;
          },
        },
        credentials,
        lookEveryMs: 0,
        tell: async (_, { repositories, services }) => {
          for (const { repositoryId } of repositories)
            woken.set(repositoryId, new Set([...(woken.get(repositoryId) ?? []), ...services]));
        },
      });
      const begun = await polls.beginPoll({ ...ids, atOnce: true });
      if (!begun.due) throw new Error(`no round is due: ${begun.why}`);
      let stopped: Finding | undefined;
      for (let place: string | null = begun.place; place !== null; ) {
        const from: string = place;
        const chunk = await inActivity(() => questions.pollChunk({ ...ids, place: from }));
        ({ place, stopped } = chunk);
        // Its timer has ended.
        if (chunk.limited !== undefined) await sql`delete from request_limits`;
      }
      await polls.finishPoll({ ...ids, requests: 1, found: woken.size, error: stopped ?? null });
      for (const [repositoryId, services] of woken) await sync(repositoryId, [...services]);
    },
    /** To its end; `between` is called behind each request. The id of the repository. */
    async importRepository(fullName: string, between?: () => Promise<void>): Promise<string> {
      const [row] = await sql<{ id: string }[]>`
        update repositories set integration_id = ${integrationId} where full_name = ${fullName} returning id`;
      if (row === undefined) throw new Error(`${fullName} was not discovered`);
      const { id: repositoryId } = row;
      const importId = uuid();
      await sql`insert into imports (id, organization_id, integration_id, mode, selection)
        values (${importId}, ${organizationId}, ${integrationId}, 'changed', '{"all":true}')`;
      await sql`insert into import_repositories (organization_id, import_id, repository_id, place)
        values (${organizationId}, ${importId}, ${repositoryId}, 1)`;
      await whileReading(repositoryId, () => readAll({ repositoryId, importId }, between));
      return repositoryId;
    },
    /** Of all repositories, or of what was missed of these services; its run reads none yet. */
    async beginImport(services: readonly Service[] | null = null): Promise<string> {
      const importId = uuid();
      await sql`insert into imports (id, organization_id, integration_id, mode, selection, services)
        values (${importId}, ${organizationId}, ${integrationId}, 'changed', '{"all":true}', ${services && [...services]})`;
      await inActivity(() => imports.prepareImport({ ...ids, importId }));
      return importId;
    },
    async cancelImport(importId: string): Promise<void> {
      await imports.finishImport({ ...ids, importId, cancelled: true });
    },
    /** Nothing is stored of any repository, or known of the budget. */
    async forget(): Promise<void> {
      await sql`delete from repositories`;
      await sql`delete from imports`;
      for (const table of ['request_uses', 'request_waits', 'request_limits'])
        await sql`delete from ${sql(table)}`;
    },
    /** Every row of every table of records, with the version that Postgres gave it. */
    async versions(): Promise<string[]> {
      const all: string[] = [];
      for (const table of RECORD_TABLES) {
        const found = await sql<{ version: string }[]>`
          select concat(ctid, ' ', xmin) as version from ${sql(table)} where organization_id = ${organizationId}`;
        all.push(...found.map(({ version }) => `${table} ${version}`));
      }
      return all.toSorted();
    },
    /** What the oracle finds: '' when all is equal. */
    async differences(): Promise<string> {
      const found = await verifyOrganization({ database, organizationId, simulatorUrl: simulator.url });
      return found.examples.join('\n');
    },
    /**
     * The same but for entries of votes: what is stored of them tells what happened, while the simulated source forgets it
     * with the vote.
     */
    async differencesOfState(): Promise<string> {
      const found = await verifyOrganization({ database, organizationId, simulatorUrl: simulator.url });
      const vote = /^extra: activity \d+ (approval|changes_requested) /;
      return found.examples.filter((line) => !vote.test(line)).join('\n');
    },
    async close(): Promise<void> {
      await api.close();
      await apiDatabase.end();
      await engine.end();
      await rows.end();
      await connection.close();
      await simulator.close();
      await testDatabase.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
export type DeliveryBench = Awaited<ReturnType<typeof createDeliveryBench>>;
