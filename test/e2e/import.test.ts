import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activeIntegration, expectStatus, importEnded, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { createStack, type Stack } from '../support/stack.ts';

describe.each(['guide', 'today'] as const)('at a host of the era %s', (era) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await createStack({ simulator: { era, size: 'tiny' } });
  });
  afterAll(() => stack?.close());

  test('everything is imported, and Postgres holds exactly what the source has', async () => {
    const integrationId = await activeIntegration(stack);
    const importId = await startImport(stack, integrationId);
    const ended = await importEnded(stack, importId);
    const found = await expectExact(stack);
    expect(found.repositories).toBeGreaterThan(3);
    expect(ended.state).toBe('completed');
  });

  test('without clones, everything but line counts and files: not one request to git', async () => {
    const other = await otherOrganization(stack);
    const integrationId = await activeIntegration(other, { commitSource: 'api' });
    const { body: integration } = await other.call('GET', `/v1/integrations/${integrationId}`);
    expect(integration.commit_source).toBe('api');
    const before = stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    const ended = await importEnded(other, await startImport(other, integrationId));
    const asked = stack.simulator.journal.since(before);
    const found = await expectExact(other);
    expect(found.records).toBeGreaterThan(500);
    expect(ended.state).toBe('completed');
    expect(asked.filter(({ group }) => group === 'git')).toEqual([]);
    expect(ended.requests).toBe(asked.length);
    // A repository without an issue tracker leaves open how many tickets are to be expected in all.
    for (const { stream, stored, expected } of ended.streams)
      if (expected !== null) expect([stream, stored]).toEqual([stream, expected]);
  });

  test('an import asked for again after a lost answer is the same import', async () => {
    const { data } = (await stack.call('GET', '/v1/integrations')).body;
    const path = `/v1/integrations/${data[0].id}/imports`;
    const send = () => stack.call('POST', path, { all: true }, { 'idempotency-key': 'lost-answer' });
    const first = expectStatus(await send(), 202);
    // What an api that died before it kept its answer leaves behind: the row and the command, and no answer.
    await stack.rows.transaction(stack.organizationId, (tx) => tx.execute(sql`delete from idempotency_keys`));
    const second = expectStatus(await send(), 202);
    expect(second.body.id).toBe(first.body.id);
    await importEnded(stack, first.body.id);
    const imports = (await stack.call('GET', path)).body.data.map(({ id }: { id: string }) => id);
    expect(imports.filter((id: string) => id === first.body.id)).toHaveLength(1);
    expect(imports).toHaveLength(2);
  });
});
