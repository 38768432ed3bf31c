import { afterAll, beforeAll, expect, test } from 'vitest';
import { createImportActivities } from '../../../activities/imports/imports.ts';
import { quietWorld } from '../../../simulator/model/benchWorlds.ts';
import type { DiscoveryActivities } from '../../../workflows/contracts/discovery.ts';
import { type BitbucketEngine, inActivity } from '../../support/bitbucketEngine.ts';
import { useEngineBench } from '../../support/engineBench.ts';
import { createStatementTap, type StatementTap } from '../../support/statementTap.ts';

/**
 * An account of 10,000 repositories (reliability.md, F35): found page by page, then handed out page by page. No page costs
 * Postgres more statements than another, and nothing that a workflow is given or carries on grows with their number.
 */
const REPOSITORIES = 10_000;
const A_PAGE = 100;
const NAMES = Array.from(
  { length: REPOSITORIES },
  (_, index) => `acme-rockets/quiet-${String(index + 1).padStart(5, '0')}`,
);
/** What the workflow of an import asks for, and keeps in hand. */
const AHEAD = 50;
const IN_HAND = 16;

const bench = useEngineBench({
  simulator: { world: quietWorld({ repositories: REPOSITORIES, authors: 1 }) },
});

let tap: StatementTap;
let engine: BitbucketEngine;
let integration: { organizationId: string; integrationId: string };
beforeAll(async () => {
  tap = await createStatementTap(bench.database.workerUrl);
  engine = bench.anotherEngine({ databaseUrl: tap.url });
  const { organizationId, integrationId } = await bench.connect();
  integration = { organizationId, integrationId };
});
afterAll(async () => {
  await engine.end();
  await tap.close();
});

const bytesOf = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

/** Statements in the order of the wire, by transaction: here nobody asks for two things at once. */
function transactionsOf(statements: readonly string[]): string[][] {
  const transactions: string[][] = [];
  for (const statement of statements) {
    if (statement.startsWith('begin')) transactions.push([]);
    transactions.at(-1)?.push(statement);
  }
  return transactions.map((texts) => texts.slice(0, texts.indexOf('commit') + 1));
}

test('are found a hundred at a time, each once, by ten statements a page', async () => {
  type Found = Awaited<ReturnType<DiscoveryActivities['discoverChunk']>>;
  const chunks: Found[] = [];
  tap.take();
  for (let cursor: string | null | undefined; cursor !== null; cursor = chunks.at(-1)!.cursor) {
    const asked = { ...integration, cursor: cursor ?? null };
    chunks.push(await inActivity(() => engine.discovery.discoverChunk(asked)));
  }
  const pages = transactionsOf(tap.take().statements).filter((texts) =>
    texts.some((text) => text.includes('insert into repositories as t')),
  );
  await engine.discovery.finishDiscovery({ ...integration, outcome: 'done' });

  const seen = await bench.rows.sql<{ name: string }[]>`
    select r.full_name as name from integration_repositories l join repositories r on r.id = l.repository_id
    where l.integration_id = ${integration.integrationId} and l.presence = 'present' order by 1`;
  expect(seen.map(({ name }) => name)).toEqual(NAMES);
  expect(chunks.reduce((sum, { repositories }) => sum + repositories, 0)).toBe(REPOSITORIES);
  expect(chunks).toHaveLength(5);
  for (const chunk of chunks) expect(bytesOf(chunk)).toBeLessThan(1_024);
  expect(pages).toHaveLength(REPOSITORIES / A_PAGE);
  expect(pages[0]).toHaveLength(10);
  for (const page of pages) expect(page).toEqual(pages[0]);
});

test('are chosen in one transaction, handed out fifty at a time, each once and in order, and ended in one', async () => {
  const { sql } = bench.rows;
  const { organizationId } = integration;
  const importId = crypto.randomUUID();
  const imports = createImportActivities({ database: engine.database, isRunning: async () => false });
  await sql`insert into imports (id, organization_id, integration_id, mode, selection)
    values (${importId}, ${organizationId}, ${integration.integrationId}, 'changed', '{"all":true}')`;
  const ids = { organizationId, importId };

  tap.take();
  const prepared = await inActivity(() => imports.prepareImport({ ...integration, importId }));
  expect(prepared).toMatchObject({ total: REPOSITORIES, title: 'all 10,000 repositories' });
  expect(bytesOf(prepared)).toBeLessThan(1_024);
  expect(transactionsOf(tap.take().statements)).toHaveLength(1);

  const names: string[] = [];
  let inHand: string[] = [];
  for (;;) {
    const page = await imports.nextRepositories({ ...ids, limit: AHEAD, inHand });
    const asked = tap.take().statements;
    expect(asked).toHaveLength(3);
    expect(bytesOf(page)).toBeLessThan(16_384);
    if (page.repositories.length === 0) break;
    names.push(...page.repositories.map(({ fullName }) => fullName));
    const taken = [...inHand, ...page.repositories.map(({ repositoryId }) => repositoryId)];
    inHand = taken.slice(-IN_HAND);
    await sql`update import_repositories set state = 'completed', started_at = now(), finished_at = now()
      where import_id = ${importId} and repository_id = any (${taken.slice(0, -IN_HAND)})`;
  }
  expect(names).toEqual(NAMES);
  expect(await imports.rollUpImport(ids)).toMatchObject({
    total: REPOSITORIES,
    completed: REPOSITORIES - IN_HAND,
  });

  tap.take();
  expect(await imports.finishImport({ ...ids, cancelled: true })).toEqual({ state: 'cancelled' });
  expect(transactionsOf(tap.take().statements)).toHaveLength(1);
  const ended = await sql`select state, count(*)::int as count from import_repositories
    where import_id = ${importId} group by 1 order by 1`;
  expect(ended.map((row) => [row['state'], row['count']])).toEqual([
    ['cancelled', IN_HAND],
    ['completed', REPOSITORIES - IN_HAND],
  ]);
});
