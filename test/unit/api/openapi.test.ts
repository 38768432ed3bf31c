import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { documentSchema } from '../../../api/docs/document.ts';
import { docsPage } from '../../../api/docs/page.ts';
import { createOpenApi } from '../../../api/openapi.ts';
import { openapiText } from '../../../scripts/openapi/openapiText.ts';

const document = documentSchema.parse(createOpenApi());
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
);

describe('OpenAPI document', () => {
  test('docs/openapi.json is current (npm run openapi writes it)', async () => {
    const committed = await readFile(new URL('../../../docs/openapi.json', import.meta.url), 'utf8');
    expect(committed).toBe(openapiText());
  });

  test('every operation has an id of its own, and a key wherever it is not for a browser or for signed deliveries', () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    const open = operations.filter(({ operation }) => operation['x-required-role'] === undefined);
    const isReceiver = (path: string): boolean => path === '/v1/webhooks/bitbucket/{token}';
    expect(open.every(({ path }) => path.startsWith('/v1/oauth/') || isReceiver(path))).toBe(true);
  });

  test('only admins delete', () => {
    const deleting = operations.filter(({ method }) => method === 'delete');
    expect(deleting.length).toBeGreaterThan(0);
    for (const { operation } of deleting) expect(operation['x-required-role']).toBe('admin');
  });

  test('no answer has a field for a secret', () => {
    // Bodies take secrets; everything else in the document is an answer.
    const answers = Object.entries(document.components.schemas).filter(
      ([name]) => !/Credential$|^CompleteOauth$/.test(name),
    );
    expect(answers.length).toBeGreaterThan(20);
    for (const [name, schema] of answers) {
      expect(JSON.stringify(schema), name).not.toMatch(
        /"(token|password|sealed|secret_value|code_verifier)":/,
      );
    }
  });

  test('the docs page shows every operation and loads nothing', async () => {
    const page = await docsPage(document);
    for (const { operation } of operations) expect(page).toContain(`id="${operation.operationId}"`);
    expect(page).not.toMatch(/<script|src=|@import|<link/i);
  });
});
