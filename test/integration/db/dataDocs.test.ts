import { readFile } from 'node:fs/promises';
import postgres from 'postgres';
import { v7 as uuid } from 'uuid';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

let database: TestDatabase;
let api: postgres.Sql;
beforeAll(async () => {
  database = await createTestDatabase();
  api = postgres(database.apiUrl, { max: 1, onnotice: () => {} });
});
afterAll(async () => {
  await api.end();
  await database.drop();
});

test('every SQL example of docs/data.md runs as the role of the api', async () => {
  const text = await readFile(new URL('../../../docs/data.md', import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```sql\n([\s\S]*?)```/g)].map(([, block = '']) => block);
  const statements = blocks
    .join('\n')
    .split(';')
    .map((statement) => statement.replaceAll(/^--.*$/gm, '').trim())
    .filter((statement) => statement !== '' && statement !== 'begin' && statement !== 'commit');
  expect(statements.length).toBeGreaterThanOrEqual(5);
  for (const statement of statements) {
    // An id of the reader's own stands shortened in the text.
    await expect(api.unsafe(statement.replaceAll('018f…', uuid())), statement).resolves.toBeDefined();
  }
});
