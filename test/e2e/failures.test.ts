import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { acmeWorld } from '../support/acmeWorld.ts';
import { activeIntegration, importEnded, listAll, startImport } from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { RECORD_TABLES } from '../support/recordTables.ts';
import { importEvents, parseEvents } from '../support/serverSentEvents.ts';
import { createStack, type Answer, type Stack } from '../support/stack.ts';
import { expectReplays } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';

const repository = (slug: string, pullRequests = 15) => ({
  slug,
  pullRequests,
  commits: 2 * pullRequests,
  tickets: pullRequests === 0 ? 0 : 6,
  tags: 1,
});
const WORLD = acmeWorld([
  repository('stays', 60),
  repository('deleted'),
  repository('hidden'),
  repository('renamed'),
  repository('blank', 0),
]);

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', world: WORLD } });
});
afterAll(() => stack?.close());

const journalEnd = (): number => stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;

async function idsBySlug(on: Stack, integrationId: string): Promise<Map<string, string>> {
  const all = await listAll(on, `/v1/integrations/${integrationId}/repositories`);
  return new Map(all.map(({ slug, id }) => [String(slug), String(id)]));
}

describe('repositories that fail, each for itself', () => {
  let integrationId: string;
  let ids: Map<string, string>;
  let uuid: string;

  test('deleted and hidden ones end in a clear state; the others complete, an empty and a renamed one too', async () => {
    integrationId = await activeIntegration(stack, { credential: 'api_token.service' });
    const listed = await listAll(stack, `/v1/integrations/${integrationId}/repositories`);
    ids = new Map(listed.map(({ slug, id }) => [String(slug), String(id)]));
    uuid = listed.find(({ slug }) => slug === 'deleted').provider_uuid;
    await stack.simulator.mutate({ kind: 'repository.delete', repository: 'acme/deleted' });
    await stack.simulator.mutate({ kind: 'repository.edit', repository: 'acme/hidden', member_right: null });
    await stack.simulator.mutate({
      kind: 'user.right',
      user: 'service',
      repository: 'acme/hidden',
      right: null,
    });
    await stack.simulator.mutate({ kind: 'repository.rename', repository: 'acme/renamed', slug: 'new-name' });

    const importId = await startImport(stack, integrationId);
    const ended = await importEnded(stack, importId, 60_000);
    expect(ended).toMatchObject({
      state: 'completed_with_failures',
      repositories: { total: 5, completed: 3, failed: 2 },
    });
    const bySlug = new Map<string, Answer['body']>();
    for (const one of await listAll(stack, `/v1/imports/${importId}/repositories`)) {
      bySlug.set([...ids].find(([, id]) => id === one.repository_id)?.[0] ?? '', one);
    }
    for (const slug of ['stays', 'blank', 'renamed']) {
      expect(bySlug.get(slug), slug).toMatchObject({ state: 'completed', error: null });
    }
    for (const [slug, code] of [
      ['deleted', 'repository_gone'],
      ['hidden', 'repository_gone'],
    ] as const) {
      const { state, error } = bySlug.get(slug);
      expect([slug, state, error.code]).toEqual([slug, 'failed', code]);
      expect(error.message).toContain(slug);
      expect(error.remedy.length).toBeGreaterThan(20);
    }
    const { body } = await stack.call('GET', `/v1/repositories/${ids.get('hidden')}`);
    expect(body.health).toBe('failed');
    expect(
      body.streams.find(({ state }: { state: string }) => state === 'failed').failing_since,
    ).not.toBeNull();
  });

  test('importing again continues: what failed completes, and everything is exact', async () => {
    await stack.simulator.mutate({ kind: 'repository.restore', repository: uuid });
    await stack.simulator.mutate({
      kind: 'repository.edit',
      repository: 'acme/hidden',
      member_right: 'read',
    });
    const { body: renamed } = await stack.call('GET', `/v1/repositories/${ids.get('renamed')}`);
    expect(renamed.slug).toBe('new-name');
    const again = await startImport(stack, integrationId, {
      repositories: ['deleted', 'hidden', 'renamed'].map((slug) => ids.get(slug)),
    });
    expect((await importEnded(stack, again, 60_000)).state).toBe('completed');
    await expectExact(stack);
  });

  /** Which transaction wrote each row version: equal before and after means that nothing was written. */
  async function rowVersions(): Promise<string[]> {
    const all: string[] = [];
    for (const table of RECORD_TABLES) {
      const rows = await stack.rows.transaction(stack.organizationId, (tx) =>
        tx.execute(
          sql`select ctid::text as place, xmin::text as writer from ${sql.identifier(table)} order by ctid`,
        ),
      );
      all.push(...rows.map((row) => `${table} ${JSON.stringify(row)}`));
    }
    return all;
  }

  test('imported again unchanged, not one row version is written, by a few requests', async () => {
    const before = await rowVersions();
    expect(before.length).toBeGreaterThan(500);
    const since = journalEnd();
    const importId = await startImport(stack, integrationId);
    expect((await importEnded(stack, importId, 60_000)).state).toBe('completed');
    expect(await rowVersions()).toEqual(before);
    const asked = stack.simulator.journal.since(since).filter(({ path }) => path.startsWith('/2.0/'));
    expect(asked.length, asked.map(({ path }) => path).join('\n')).toBeLessThanOrEqual(3 * 5);
  });

  test('rows corrupted by hand are found by the oracle, and repaired by a full import', async () => {
    const stays = ids.get('stays');
    await stack.rows.transaction(stack.organizationId, async (tx) => {
      for (const statement of [
        sql`update pull_requests set title = 'corrupted' where number = 3`,
        sql`update pull_request_comments set content = 'corrupted' where comment_id in (
          select min(comment_id) from pull_request_comments)`,
        sql`update tickets set state = 'corrupted' where number = 2`,
        sql`update branches set target_hash = repeat('0', 40) where name = 'main'`,
        sql`update commits set message = 'corrupted', lines_added = 77 where hash in (
          select min(hash) from commits)`,
        sql`delete from pull_request_participants where pull_request_number = 5`,
        sql`delete from commit_files where commit_hash in (select max(hash) from commits)`,
      ]) {
        await tx.execute(sql`${statement} and repository_id = ${stays}`);
      }
    });
    const corrupted = await stack.verify();
    expect(corrupted.corrupted).toBeGreaterThanOrEqual(5);
    expect(corrupted.lost).toBeGreaterThanOrEqual(1);
    const importId = await startImport(stack, integrationId, { repositories: [stays], mode: 'full' });
    expect((await importEnded(stack, importId, 60_000)).state).toBe('completed');
    await expectExact(stack);
  });

  test('a host that takes tickets away meanwhile: said once, and the import completes', async () => {
    const tenant = await otherOrganization(stack);
    const id = await activeIntegration(tenant, { credential: 'api_token.service' });
    const gone = { type: 'error', error: { message: 'Gone' } };
    stack.simulator.faults.set({
      rules: [
        {
          match: { path: '/issues' },
          fault: {
            kind: 'status',
            status: 410,
            content_type: 'application/json',
            body: JSON.stringify(gone),
          },
        },
      ],
    });
    const since = journalEnd();
    const importId = await startImport(tenant, id, {
      repositories: [(await idsBySlug(tenant, id)).get('stays')],
    });
    const ended = await importEnded(tenant, importId, 60_000);
    stack.simulator.faults.clear();
    expect(ended.state).toBe('completed');
    const asked = stack.simulator.journal.since(since).filter(({ path }) => path.includes('/issues'));
    expect(asked).toHaveLength(1);
    const [one] = await listAll(tenant, `/v1/imports/${importId}/repositories`);
    const tickets = one.streams.find(({ stream }: { stream: string }) => stream === 'tickets');
    expect(tickets).toMatchObject({ state: 'unavailable', last_error: { code: 'tickets_removed' } });
  });
});

describe('limits', () => {
  const SECONDS = 8;

  test.each(['seconds', 'date'] as const)(
    'Retry-After in %s: the import says why it waits and until when, and no request goes before',
    async (form) => {
      const tenant = await otherOrganization(stack);
      const id = await activeIntegration(tenant, { credential: 'api_token.admin' });
      const since = journalEnd();
      stack.simulator.faults.set({
        rules: [
          {
            match: { path: '/pullrequests\\?' },
            nth: 2,
            fault: { kind: 'rate_limit', retry_after: form, seconds: SECONDS },
          },
        ],
      });
      const importId = await startImport(tenant, id, {
        repositories: [(await idsBySlug(tenant, id)).get('stays')],
      });
      const limited = await waitFor({
        what: 'the import says that it waits',
        read: async () => (await tenant.call('GET', `/v1/imports/${importId}`)).body,
        until: ({ waiting }) => waiting !== null,
        timeoutMs: 20_000,
      });
      expect(limited.waiting.reason).toBe('Bitbucket asked to wait');
      const [one] = await listAll(tenant, `/v1/imports/${importId}/repositories`);
      expect(one.state).toBe('rate_limited');
      expect(one.waiting.until).toBe(limited.waiting.until);

      const ended = await importEnded(tenant, importId, 60_000);
      expect(ended).toMatchObject({ state: 'completed', waiting: null });
      const journal = stack.simulator.journal.since(since).filter(({ path }) => path.startsWith('/2.0/'));
      const refused = journal.find(({ fault }) => fault === 'rate_limit');
      if (refused === undefined) throw new Error('no request was refused');
      const precise = refused.time_ms + SECONDS * 1_000;
      const endsAtMs = form === 'date' ? Math.floor(precise / 1_000) * 1_000 : precise;
      expect(Date.parse(limited.waiting.until)).toBeGreaterThanOrEqual(endsAtMs);
      const later = journal.filter(({ sequence }) => sequence > refused.sequence);
      expect(later.length).toBeGreaterThan(2);
      // One that was on its way when the refusal was answered arrives within its own time.
      const early = later.filter(({ time_ms: at }) => at > refused.time_ms + 250 && at < endsAtMs);
      expect(early.map(({ path }) => path)).toEqual([]);
      await expectExact(tenant);
    },
  );

  test('without Retry-After it waits for a minute', async () => {
    const tenant = await otherOrganization(stack);
    const id = await activeIntegration(tenant, { credential: 'api_token.member' });
    stack.simulator.faults.set({
      rules: [
        {
          match: { path: '/pullrequests\\?', credential: 'api_token.member' },
          fault: { kind: 'rate_limit', retry_after: 'none' },
        },
      ],
    });
    const startedAtMs = Date.now();
    const importId = await startImport(tenant, id, {
      repositories: [(await idsBySlug(tenant, id)).get('blank')],
    });
    const limited = await waitFor({
      what: 'the import says that it waits',
      read: async () => (await tenant.call('GET', `/v1/imports/${importId}`)).body,
      until: ({ waiting }) => waiting !== null,
      timeoutMs: 20_000,
    });
    expect(Date.parse(limited.waiting.until) - startedAtMs).toBeGreaterThan(59_000);
    const since = journalEnd();
    stack.simulator.faults.clear();
    // Other accounts go on.
    const other = await activeIntegration(stack, { credential: 'api_token.admin', name: 'Other' });
    expect((await stack.call('GET', `/v1/integrations/${other}`)).body.state).toBe('active');
    const asked = stack.simulator.journal.since(since);
    expect(asked.filter(({ credential_name: name }) => name === 'api_token.member')).toEqual([]);
  });
});

test('events of an import: read in pieces by Last-Event-ID, nothing is missing and nothing comes twice', async () => {
  const tenant = await otherOrganization(stack);
  const id = await activeIntegration(tenant, { credential: 'api_token.service' });
  stack.simulator.faults.set({ rules: [{ match: { path: '/2.0/' }, fault: { kind: 'delay', ms: 60 } }] });
  const importId = await startImport(tenant, id);
  const path = `/v1/imports/${importId}/events`;
  const pieces: string[] = [];
  for (let last = ''; ; last = pieces.at(-1) ?? last) {
    const piece = await importEvents(`${stack.apiUrl}${path}`, { key: tenant.apiKey, last, most: 3 });
    if (piece === null) break;
    pieces.push(...piece);
  }
  stack.simulator.faults.clear();
  const whole = parseEvents((await tenant.call('GET', path)).body);
  const ids = whole.flatMap((event) => (event.id === undefined ? [] : [event.id]));
  expect(ids.length).toBeGreaterThan(6);
  expect(pieces).toEqual(ids);
  expect(whole.at(-1)?.event).toBe('progress');
  expect((await importEnded(tenant, importId)).state).toBe('completed');
});

test('every run replays', async () => {
  expect(await expectReplays(stack)).toBeGreaterThan(20);
});
