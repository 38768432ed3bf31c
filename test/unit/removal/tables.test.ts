import { getTableName, is } from 'drizzle-orm';
import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { describe, expect, test } from 'vitest';
import {
  type PurgedTable,
  TABLES_BESIDE_REPOSITORY,
  TABLES_OF_ESTIMATE,
  TABLES_OF_IMPORT,
  TABLES_OF_INTEGRATION,
  TABLES_OF_REPOSITORY,
  TABLES_OF_WEBHOOK,
} from '../../../db/queries/removal/tables.ts';
import * as schema from '../../../db/schema/index.ts';

const tables = Object.values(schema).filter((entry) => is(entry, PgTable));
const configs = new Map<string, ReturnType<typeof getTableConfig>>(
  tables.map((table) => [getTableName(table), getTableConfig(table)]),
);

const columnsOf = (name: string) => (configs.get(name)?.columns ?? []).map((column) => column.name);

/** Tables that point at this one by a foreign key, themselves left out. */
const pointingAt = (name: string): string[] =>
  [...configs]
    .filter(([, { foreignKeys }]) =>
      foreignKeys.some((key) => getTableName(key.reference().foreignTable) === name),
    )
    .map(([table]) => table);

const lists: Record<string, { tables: readonly PurgedTable[]; owner: string }> = {
  repositories: { tables: TABLES_OF_REPOSITORY, owner: 'repository_id' },
  'repositories, beside': { tables: TABLES_BESIDE_REPOSITORY, owner: 'repository_id' },
  imports: { tables: TABLES_OF_IMPORT, owner: 'import_id' },
  import_estimates: { tables: TABLES_OF_ESTIMATE, owner: 'estimate_id' },
  webhooks: { tables: TABLES_OF_WEBHOOK, owner: 'webhook_id' },
  integrations: { tables: TABLES_OF_INTEGRATION, owner: 'integration_id' },
};
const names = (list: readonly PurgedTable[]): string[] => list.map(({ name }) => name);

/** What stays although it names something that goes, and why. */
const STAYS = new Set([
  // Handed over, or removed one by one: `purgeIntegration`.
  'repositories',
  // Goes with its subject's own row, in the transaction that ends the removal.
  'removals',
  // Made with a repository, and goes with its row: one a repository.
  'repository_health',
  // What happened, and who did it, is told for ever: append only.
  'audit_events',
  'events',
]);

describe('what a removal takes away', () => {
  test('every table with a column that names a repository, import, estimate, webhook or integration is in a list', () => {
    const purged = new Set(Object.values(lists).flatMap((list) => names(list.tables)));
    const owners = ['repository_id', 'import_id', 'estimate_id', 'webhook_id', 'integration_id'];
    const naming = [...configs.keys()].filter((name) =>
      columnsOf(name).some((column) => owners.includes(column)),
    );
    expect(naming.length).toBeGreaterThan(25);
    expect(naming.filter((name) => !purged.has(name) && !STAYS.has(name))).toEqual([]);
  });

  test('every table that points at one of them, or at one of their rows, goes with it', () => {
    const all = (name: string, seen = new Set<string>()): Set<string> => {
      for (const child of pointingAt(name)) {
        if (seen.has(child) || STAYS.has(child)) continue;
        seen.add(child);
        all(child, seen);
      }
      return seen;
    };
    const elsewhere = {
      // By its import or webhook, which takes them along; its links go with those who see it.
      repositories: ['import_streams', 'integration_repositories', ...names(TABLES_OF_WEBHOOK)],
      imports: [],
      import_estimates: [],
      webhooks: [],
      // By their imports, estimates and webhooks.
      integrations: [TABLES_OF_IMPORT, TABLES_OF_ESTIMATE, TABLES_OF_WEBHOOK].flatMap(names),
    };
    for (const [owner, more] of Object.entries(elsewhere)) {
      const beside = owner === 'repositories' ? names(TABLES_BESIDE_REPOSITORY) : [];
      const found = new Set([...names(lists[owner]!.tables), ...beside, ...more]);
      expect(
        [...all(owner)].filter((name) => !found.has(name)),
        owner,
      ).toEqual([]);
    }
  });

  test.each(Object.keys(lists))('of %s children go before their parents', (owner) => {
    const order = names(lists[owner]!.tables);
    const late = order.flatMap((parent, at) =>
      pointingAt(parent)
        .filter((child) => order.includes(child) && order.indexOf(child) > at)
        .map((child) => `${child} behind ${parent}`),
    );
    expect(late).toEqual([]);
  });

  test('the checkpoints of a repository go first: they fence writers that are late', () => {
    expect(TABLES_OF_REPOSITORY[0]!.name).toBe('streams');
  });

  test.each(Object.keys(lists))(
    'of %s each table is found by an index of organization and owner',
    (which) => {
      const { tables: purged, owner } = lists[which]!;
      for (const { name, key } of purged) {
        const { primaryKeys, indexes, uniqueConstraints } = configs.get(name)!;
        const columns = [...primaryKeys, ...uniqueConstraints].map((each) =>
          each.columns.map((column) => column.name),
        );
        const whole = indexes.filter(({ config }) => config.where === undefined);
        const indexed = whole.map(({ config }) =>
          config.columns.map((column) => ('name' in column ? String(column.name) : '')),
        );
        const first = [...columns, ...indexed].map((each) => each.slice(0, 2).join());
        expect(first, name).toContain(`organization_id,${owner}`);
        expect(columnsOf(name), name).toEqual(expect.arrayContaining(Object.keys(key)));
      }
    },
  );
});
