import type postgres from 'postgres';
import { afterEach, expect } from 'vitest';
import { createVanishedRows } from '../../activities/presence/vanishedRows.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import type { VanishedDecision } from '../../workflows/contracts/vanished.ts';
import { inActivity } from './bitbucketEngine.ts';
import { type EngineBench, useEngineBench } from './engineBench.ts';
import type { Simulator } from './simulator.ts';

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
  readonly connect: EngineBench['connect'];
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
  const bench = useEngineBench({ simulator: { world: WORLD } });
  const undo: (() => Promise<unknown>)[] = [];

  afterEach(async () => {
    bench.simulator.faults.clear();
    for (const again of undo.splice(0).toReversed()) await again();
  });

  async function discover({ organizationId, integrationId }: Integration): Promise<number> {
    const mark = [...bench.simulator.journal.since(0)].at(-1)?.sequence ?? 0;
    let cursor: string | null = null;
    do {
      const from: string | null = cursor;
      const chunk: { cursor: string | null; limited?: Limited } = await inActivity(() =>
        bench.engine.discovery.discoverChunk({ organizationId, integrationId, cursor: from }),
      );
      ({ cursor } = chunk);
      // Its timer has ended.
      if (chunk.limited !== undefined) await bench.rows.sql`delete from request_limits`;
    } while (cursor !== null);
    await bench.engine.discovery.finishDiscovery({ organizationId, integrationId, outcome: 'done' });
    return [...bench.simulator.journal.since(mark)].length;
  }

  async function passHours({ integrationId }: Integration, hours = 1): Promise<void> {
    const ago = `${String(hours)} hours`;
    await bench.rows.sql`update integration_repositories set missing_since = missing_since - ${ago}::interval
      where integration_id = ${integrationId}`;
    await bench.rows.sql`update integration_workspaces set missing_since = missing_since - ${ago}::interval
      where integration_id = ${integrationId}`;
  }

  async function presences({ integrationId }: Integration): Promise<Record<string, number>> {
    const found = await bench.rows.sql<{ word: string; count: number }[]>`
      select case when presence = 'present' and missing_since is not null then 'missing' else presence end as word,
        count(*)::int as count
      from integration_repositories where integration_id = ${integrationId} group by 1`;
    return Object.fromEntries(found.map(({ word, count }) => [word, count]));
  }

  const asked = async ({ integrationId }: Integration): Promise<number> =>
    (
      await bench.rows.sql`select from integration_repositories
        where integration_id = ${integrationId} and asked_at is not null`
    ).length;

  const eventsOf = async ({ integrationId }: Integration) =>
    (
      await bench.rows.sql<{ type: string; data: Record<string, unknown> }[]>`
        select type, data from events where integration_id = ${integrationId} order by xact, id`
    ).filter(({ type }) => type !== 'discovery_done');

  const settle = (integration: Integration, decision: VanishedDecision) =>
    createVanishedRows({ database: bench.engine.database }).settleVanished({
      ...integration,
      decision,
      actor: { apiKeyId: '01990000-0000-7000-8000-000000000001', actingUser: 'ada' },
    });

  const restore = (uuid: string) => bench.simulator.mutate({ kind: 'repository.restore', repository: uuid });

  async function removeAtBitbucket(...slugs: string[]): Promise<string[]> {
    const names = slugs.map((slug) => `acme/${slug}`);
    const found = await bench.rows.sql<{ uuid: string }[]>`
      select distinct provider_uuid as uuid from repositories where full_name = any (${names})`;
    expect(found).toHaveLength(slugs.length);
    for (const { uuid } of found) {
      await bench.simulator.mutate({ kind: 'repository.delete', repository: uuid });
      undo.push(() => restore(uuid));
    }
    return found.map(({ uuid }) => uuid);
  }

  return {
    get simulator() {
      return bench.simulator;
    },
    get sql() {
      return bench.rows.sql;
    },
    undo,
    connect: bench.connect,
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
