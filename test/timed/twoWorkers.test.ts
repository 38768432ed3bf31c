import { afterAll, beforeAll, expect, test } from 'vitest';
import { sql } from 'drizzle-orm';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { storedSoFar } from '../support/importRows.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

const COMMITS = 5_500;

const WORLD = acmeWorld([{ slug: 'deep', pullRequests: 10, commits: COMMITS, oddGit: true }]);

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD }, workers: 2 });
});
afterAll(() => stack?.close());

/** Which worker reads git now, by its log. */
function holder(): number {
  const lines = stack.logs().split('\n');
  const line = lines.findLast((one) => /"import(Git|Small)".*Activity started/.test(one));
  return Number(/^worker-(\d+):/.exec(line ?? '')?.[1] ?? 0);
}

/** Each stored commit's transaction: a page that is written again has a newer one. */
async function writers(): Promise<Map<string, string>> {
  const rows = await stack.rows.transaction(stack.organizationId, (tx) =>
    tx.execute<{ hash: string; writer: string }>(sql`select hash, xmin::text as writer from commits`),
  );
  return new Map(rows.map(({ hash, writer }) => [hash, writer]));
}

test('of two workers with folders of their own one is killed among the commits: the other goes on from the checkpoint', async () => {
  const integrationId = await activeIntegration(stack);
  const importId = await startImport(stack, integrationId);
  await waitFor({
    what: 'some pages of commits are stored',
    read: () => storedSoFar(stack, importId),
    until: ({ commits }) => commits >= 1_000,
    timeoutMs: 60_000,
    intervalMs: 10,
  });
  const killed = holder();
  await stack.workers[killed - 1]?.kill();
  const killedAt = Date.now();
  const before = await writers();
  const { commits } = await storedSoFar(stack, importId);
  expect(before.size).toBe(commits);
  expect(commits).toBeLessThan(COMMITS);

  const seen: number[] = [commits];
  const ended = importEnded(stack, importId);
  await waitFor({
    what: 'the other worker goes on',
    async read() {
      const { commits: now } = await storedSoFar(stack, importId);
      seen.push(now);
      return now;
    },
    until: (now) => now > commits,
    timeoutMs: 60_000,
  });
  console.info(`killed worker ${killed} at ${commits} commits, on again after ${Date.now() - killedAt} ms`);
  await waitFor({
    what: 'all commits are stored',
    async read() {
      const { commits: now } = await storedSoFar(stack, importId);
      seen.push(now);
      return now;
    },
    until: (now) => now >= COMMITS,
    timeoutMs: 60_000,
  });
  expect(seen).toEqual(seen.toSorted((one, other) => one - other));
  expect((await ended).state).toBe('completed');
  expect(holder()).not.toBe(killed);
  const after = await writers();
  const rewritten = [...before].filter(([hash, writer]) => after.get(hash) !== writer);
  expect(rewritten).toEqual([]);
  await expectExact(stack);
});
