import { readFile } from 'node:fs/promises';
import { getTableName, is } from 'drizzle-orm';
import { PgTable } from 'drizzle-orm/pg-core';
import { expect, test } from 'vitest';
import * as schema from '../../../db/schema/index.ts';

test('docs/data.md describes every table', async () => {
  const text = await readFile(new URL('../../../docs/data.md', import.meta.url), 'utf8');
  const tables = Object.values(schema).flatMap((entry) => (is(entry, PgTable) ? [getTableName(entry)] : []));
  expect(tables.length).toBeGreaterThan(25);
  expect(tables.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
