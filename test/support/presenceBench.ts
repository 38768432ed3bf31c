import type postgres from 'postgres';
import { afterAll, afterEach, beforeAll, expect } from 'vitest';
import { createVanishedRows } from '../../activities/presence/vanishedRows.ts';
import type { VanishedDecision } from '../../workflows/contracts/vanished.ts';
import {
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  inActivity,
  type BitbucketEngine,
  type CredentialRows,
} from './bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { createSimulator, type Simulator } from './simulator.ts';

const keys = createTestKeys();
/** The repositories of the workspace acme; one more is in the workspace other. */
export const SLUGS = Array.from({ length: 24 }, (_, n) => `r${String(n + 1).padStart(2, '0')}`);
const WORLD = {
  workspaces: [
    {
      slug: 'acme',
      name: 'Acme',
      isPrivate: true,
      projects: [
        { key: 'ONE', name: 'One' },
        { key: 'TWO', name: 'Two' },
      ],
    },
    { slug: 'other', name: 'Other', isPrivate: true, projects: [{ key: 'ONLY', name: 'Only' }] },
  ],
  repositories: [
    ...SLUGS.map((slug) => ({
      workspace: 'acme',
      project: 'ONE',
      slug,
      pullRequests: 0,
      commits: 0,
      isPrivate: true,
    })),
    { workspace: 'other', project: 'ONLY', slug: 'stays', pullRequests: 0, commits: 0 },
  ],
};

export interface Integration {
  organizationId: string;
  integrationId: string;
}

/** A host whose repositories come and go, and the engine that discovers them, called as its activities are. */
export interface PresenceBench {
  readonly simulator: Simulator;
  readonly sql: postgres.Sql;
  /** what is done behind the test, the last first, so that the host is for the next test as it was */
  readonly undo: (() => Promise<unknown>)[];
  /** An integration with the credential of that name. */
  readonly connect: (name?: string, organizationId?: string) => Promise<Integration>;
  /** One discovery; how many requests it took. */
  readonly discover: (integration: Integration) => Promise<number>;
  /** What was missed then was missed so much longer ago. */
  readonly passHours: (integration: Integration, hours?: number) => Promise<void>;
  /** How often a repository is there in each way. */
  readonly presences: (integration: Integration) => Promise<Record<string, number>>;
  /** About how many repositories a person is asked. */
  readonly asked: (integration: Integration) => Promise<number>;
  /** What it was told, in order, but for the ends of discoveries. */
  readonly eventsOf: (integration: Integration) => Promise<{ type: string; data: Record<string, unknown> }[]>;
  readonly settle: (integration: Integration, decision: VanishedDecision) => Promise<void>;
  /** Deletes repositories of acme that were discovered before; they are there again after the test. Gives their uuids. */
  readonly removeAtBitbucket: (...slugs: string[]) => Promise<string[]>;
  readonly restore: (uuid: string) => Promise<unknown>;
}

/** Called at the top of a test file: opens before its tests, closes behind them. */
export function usePresenceBench(): PresenceBench {
  let testDatabase: TestDatabase;
  let rows: CredentialRows;
  let simulator: Simulator;
  let engine: BitbucketEngine;
  const undo: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    rows = createCredentialRows(testDatabase, keys);
    simulator = await createSimulator({ limit: 0, world: WORLD });
    engine = createBitbucketEngine({
      databaseUrl: testDatabase.workerUrl,
      keys,
      apiUrl: simulator.apiUrl,
      webUrl: simulator.url,
    });
  });

  afterEach(async () => {
    simulator.faults.clear();
    for (const again of undo.splice(0).toReversed()) await again();
  });

  afterAll(async () => {
    await engine.end();
    await rows.end();
    await testDatabase.drop();
    await simulator.close();
  });

  async function connect(name = 'api_token.admin', organizationId?: string): Promise<Integration> {
    const found = simulator.credential(name);
    const more = organizationId === undefined ? {} : { organizationId };
    if (found.kind === 'api_token')
      return rows.integration('api_token', { email: found.login ?? '', token: found.secret }, more);
    const fields = { workspace: found.workspace, project: found.project };
    const given = Object.entries(fields).flatMap(([key, value]) => (value === null ? [] : [[key, value]]));
    return rows.integration(
      'access_token',
      { token: found.secret },
      { ...more, fields: Object.fromEntries(given) as Record<string, string> },
    );
  }

  async function discover({ organizationId, integrationId }: Integration): Promise<number> {
    const mark = [...simulator.journal.since(0)].at(-1)?.sequence ?? 0;
    let cursor: string | null = null;
    do {
      const from: string | null = cursor;
      const chunk: { cursor: string | null } = await inActivity(() =>
        engine.discovery.discoverChunk({ organizationId, integrationId, cursor: from }),
      );
      ({ cursor } = chunk);
    } while (cursor !== null);
    await engine.discovery.finishDiscovery({ organizationId, integrationId, outcome: 'done' });
    return [...simulator.journal.since(mark)].length;
  }

  async function passHours({ integrationId }: Integration, hours = 1): Promise<void> {
    const ago = `${String(hours)} hours`;
    await rows.sql`update integration_repositories set missing_since = missing_since - ${ago}::interval
      where integration_id = ${integrationId}`;
    await rows.sql`update integration_workspaces set missing_since = missing_since - ${ago}::interval
      where integration_id = ${integrationId}`;
  }

  async function presences({ integrationId }: Integration): Promise<Record<string, number>> {
    const found = await rows.sql<{ word: string; count: number }[]>`
      select case when presence = 'present' and missing_since is not null then 'missing' else presence end as word,
        count(*)::int as count
      from integration_repositories where integration_id = ${integrationId} group by 1`;
    return Object.fromEntries(found.map(({ word, count }) => [word, count]));
  }

  const asked = async ({ integrationId }: Integration): Promise<number> =>
    (
      await rows.sql`select from integration_repositories
        where integration_id = ${integrationId} and asked_at is not null`
    ).length;

  const eventsOf = async ({ integrationId }: Integration) =>
    (
      await rows.sql<{ type: string; data: Record<string, unknown> }[]>`
        select type, data from events where integration_id = ${integrationId} order by xact, id`
    ).filter(({ type }) => type !== 'discovery_done');

  const settle = (integration: Integration, decision: VanishedDecision) =>
    createVanishedRows({ database: engine.database }).settleVanished({
      ...integration,
      decision,
      actor: { apiKeyId: '01990000-0000-7000-8000-000000000001', actingUser: 'ada' },
    });

  const restore = (uuid: string) => simulator.mutate({ kind: 'repository.restore', repository: uuid });

  async function removeAtBitbucket(...slugs: string[]): Promise<string[]> {
    const names = slugs.map((slug) => `acme/${slug}`);
    const found = await rows.sql<{ uuid: string }[]>`
      select distinct provider_uuid as uuid from repositories where full_name = any (${names})`;
    expect(found).toHaveLength(slugs.length);
    for (const { uuid } of found) {
      await simulator.mutate({ kind: 'repository.delete', repository: uuid });
      undo.push(() => restore(uuid));
    }
    return found.map(({ uuid }) => uuid);
  }

  return {
    get simulator() {
      return simulator;
    },
    get sql() {
      return rows.sql;
    },
    undo,
    connect,
    discover,
    passHours,
    presences,
    asked,
    eventsOf,
    settle,
    removeAtBitbucket,
    restore,
  };
}
