import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { createOrchestrator, type Orchestrator } from '../../api/orchestrator.ts';
import { problemOf } from '../../api/temporalProblems.ts';
import { deleteEstimate } from '../../db/queries/removal/remains.ts';
import { activeIntegration, expectStatus, importEnded, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { createLocalApi } from '../support/localApi.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { type Answer, createStack, type Stack } from '../support/stack.ts';
import { runEnded } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';
import { estimateWorkflowId } from '../../workflows/ids.ts';

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

  describe('the same request again, when the connection to Temporal broke behind the sending', () => {
    let path: string;
    let orchestrator: Orchestrator;
    beforeAll(async () => {
      const { data } = (await stack.call('GET', '/v1/integrations')).body;
      path = `/v1/integrations/${data[0].id}/imports`;
      const { temporalNamespace: namespace } = inject('servers');
      const { temporalAddress: address, taskQueue } = stack;
      orchestrator = createOrchestrator({ address, namespace, taskQueue });
    });
    afterAll(() => orchestrator?.close());

    const breakOff = () => {
      throw problemOf(Object.assign(new Error(), { code: 14, details: 'connection lost', metadata: {} }));
    };

    /** By apis that share a secret for what they keep of keys, which that of the stack does not. */
    async function send(key: string, body: object, broken: Partial<Orchestrator> = {}) {
      const more = { orchestrator: { ...orchestrator, ...broken } };
      const api = createLocalApi({ databaseUrl: stack.database.apiUrl, more });
      const authorization = `Bearer ${stack.apiKey}`;
      const answer = await api.send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': key, authorization },
        body: JSON.stringify(body),
      });
      const told = (await answer.json()) as Answer['body'];
      await api.close();
      return { status: answer.status, body: told };
    }

    async function sendInVain(key: string, body: object, broken: Partial<Orchestrator>): Promise<void> {
      const answer = await send(key, body, broken);
      expect([answer.status, answer.body.code]).toEqual([503, 'answer_lost']);
    }

    test('begins an import that was left pending', async () => {
      await sendInVain('import', { all: true }, { command: async () => breakOff() });
      const [left] = (await stack.call('GET', path)).body.data;
      expect(left.state).toBe('pending');
      const { status, body } = await send('import', { all: true });
      expect(status).toBe(202);
      expect(body.id).toBe(left.id);
      expect((await importEnded(stack, left.id)).state).toBe('completed');
    });

    test('begins an estimate anew whose run found no row', async () => {
      const wanted = { all: true, dry_run: true };
      let id = '';
      await sendInVain('estimate', wanted, {
        async startEstimate(estimate) {
          id = estimate.estimateId;
          await stack.rows.transaction(stack.organizationId, (tx) => deleteEstimate(tx, id));
          await orchestrator.startEstimate(estimate);
          await runEnded(stack, estimateWorkflowId(id));
          breakOff();
        },
      });
      const { status, body } = await send('estimate', wanted);
      expect(status).toBe(202);
      expect(body.id).toBe(id);
      await waitFor({
        what: 'the estimate is done',
        read: async () => (await stack.call('GET', `/v1/import-estimates/${id}`)).body,
        until: ({ state }) => state === 'done',
        timeoutMs: 30_000,
      });
    });
  });
});
