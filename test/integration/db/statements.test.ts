import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { z } from 'zod';
import { activityItem } from '../../../activities/pullRequests/activityRows.ts';
import { keyOfBytes, type ParsedRecord } from '../../../activities/bitbucket/records.ts';
import {
  activitySchema,
  branchSchema,
  commentSchema,
  commitSchema,
  issueChangeSchema,
  issueCommentSchema,
  issueSchema,
  pullRequestSchema,
  tagSchema,
} from '../../../activities/bitbucket/schemas.ts';
import { commentItem } from '../../../activities/pullRequests/commentRows.ts';
import { branchItem, commitItem, tagItem } from '../../../activities/commits/listedRows.ts';
import { openReader } from '../../../activities/streams/openReader.ts';
import { pullRequestItem } from '../../../activities/pullRequests/pullRequestRows.ts';
import { storePage } from '../../../activities/streams/storePage.ts';
import type { Item, PageRead } from '../../../activities/streams/streamReader.ts';
import { ticketChangeItem, ticketCommentItem, ticketItem } from '../../../activities/tickets/ticketRows.ts';
import { createDatabase, type Database } from '../../../db/client.ts';
import { STREAMS, type Stream } from '../../../workflows/words.ts';
import { useDatabaseBench } from '../../support/databaseBench.ts';
import { createStatementTap, type StatementTap } from '../../support/statementTap.ts';

/** How many statements a page costs (counted on the wire): as many for a hundred records as for five. */
const bench = useDatabaseBench({ role: 'worker' });

let tap: StatementTap;
let database: Database;
beforeAll(async () => {
  tap = await createStatementTap(bench.testDatabase.workerUrl);
  database = createDatabase({ url: tap.url, maxConnections: 1, applicationName: 'counted' });
});
afterAll(async () => {
  await database.end();
  await tap.close();
});

const AT = '2026-01-02T00:00:00.000001Z';
const uuidOf = (n: number) => `{00000000-0000-4000-8000-${String(n).padStart(12, '0')}}`;
const hashOf = (n: number) => createHash('sha1').update(String(n)).digest('hex');
/** Each record names somebody else. */
const user = (n: number) => ({ uuid: uuidOf(n), type: 'user', display_name: `Person ${String(n)}` });
const times = { created_on: AT, updated_on: AT };
const comment = (n: number) => ({ id: n, content: { raw: 'said' }, user: user(n), ...times });

function parsed<T>(schema: z.ZodType<T>, raw: unknown): ParsedRecord<T> {
  return { value: schema.parse(raw), raw, storable: raw };
}

function refItem(n: number): Item {
  const ref = { name: `ref-${String(n)}`, target: { hash: hashOf(n) } };
  return n % 2 === 0 ? tagItem(parsed(tagSchema, ref), AT) : branchItem(parsed(branchSchema, ref), AT);
}

/** Votes, comments in full, and updates by accounts that were removed, which are looked for under their former keys. */
function entry(n: number): unknown {
  const at = new Date(Date.UTC(2026, 0, 2, 0, 0, n)).toISOString();
  const kinds = [
    { approval: { date: at, user: user(n) } },
    { comment: comment(n) },
    { update: { date: at, author: null, state: 'OPEN' } },
  ];
  return { pull_request: { id: n }, ...kinds[n % 3] };
}

const pullRequest = (n: number) => ({
  id: n,
  title: 'title',
  state: 'OPEN',
  author: user(n),
  ...times,
  participants: [user(n), user(n + 1)].map((each) => ({ user: each, role: 'REVIEWER', approved: true })),
});

/** A record of each stream, as its reader makes it of what Bitbucket sends. */
const ITEM_OF: Record<Stream, (n: number) => Item> = {
  refs: refItem,
  commits: (n) => {
    const raw = { hash: hashOf(n), date: AT, author: { raw: 'A <a@b>' }, message: 'm', parents: [] };
    return commitItem(parsed(commitSchema, raw));
  },
  pull_requests: (n) => pullRequestItem(parsed(pullRequestSchema, pullRequest(n)), AT),
  pull_request_activity: (n) => activityItem(parsed(activitySchema, entry(n)), AT)!,
  pull_request_comments: (n) => commentItem(parsed(commentSchema, comment(n)), n, AT),
  tickets: (n) => {
    const raw = { id: n, title: 'title', state: 'new', reporter: user(n), assignee: user(n + 1), ...times };
    return ticketItem(parsed(issueSchema, raw), AT);
  },
  ticket_comments: (n) => ticketCommentItem(parsed(issueCommentSchema, comment(n)), n, AT),
  ticket_changes: (n) => {
    const raw = { id: n, changes: { state: { old: 'new', new: 'open' } }, user: user(n), created_on: AT };
    return ticketChangeItem(parsed(issueChangeSchema, raw), n, AT);
  },
};

/** Begin, checkpoint, progress, what the stream brings, records into quarantine and out of it, commit. */
const STATEMENTS_OF: Record<Stream, number> = {
  refs: 8, // branches, tags
  commits: 7,
  // with the accounts that they name
  pull_requests: 8,
  pull_request_activity: 11, // former keys, entries, comments, and those out of quarantine
  pull_request_comments: 10, // comments, entries, and those out of quarantine
  tickets: 8,
  ticket_comments: 8,
  ticket_changes: 8,
};

/** Where its records are counted. */
const rowsOf = (stream: Stream): string =>
  stream === 'refs'
    ? '(select repository_id from branches union all select repository_id from tags) refs'
    : stream;

/** A page of so many records, and a fifth as many that cannot be read. */
function pageOf(stream: Stream, records: number): { page: PageRead; bytes: Uint8Array } {
  const items = Array.from({ length: records }, (_, index) => ITEM_OF[stream](index + 1));
  const rejected = Array.from({ length: records / 5 }, (_, index) => {
    const raw = Buffer.from(`{"odd":${String(index)}}`);
    return { key: keyOfBytes(raw), raw, reason: 'is odd', index, parent: null };
  });
  const values = items.map(({ raw }) => raw);
  const bytes = Buffer.from(JSON.stringify({ values }));
  return { page: { items, rejected, values, position: { records } }, bytes };
}

/** Stores a page in a repository of its own. What that asked Postgres for, and how many rows are there then. */
async function storing(stream: Stream, records: number): Promise<{ statements: string[]; rows: unknown }> {
  const tenant = await bench.tenant('active');
  const [repositoryId] = await tenant.repositories(1);
  const importId = await tenant.storeImport({ all: true });
  const { organizationId, integrationId } = tenant;
  await bench.sql`insert into import_repositories (organization_id, import_id, repository_id, place)
    values (${organizationId}, ${importId}, ${repositoryId!}, 1)`;
  const key = { organizationId, repositoryId: repositoryId!, importId, stream };
  const { reader, checkpoint } = await openReader(database, {
    input: { ...key, integrationId, mode: 'changed', streams: [stream] },
    stream: key,
    source: {
      fullName: 'acme/repo-001',
      providerUuid: uuidOf(0),
      credentialId: null,
      hasIssues: true,
      kind: 'import',
    },
    goneAfterMs: 0,
  });
  tap.take();
  const { stored } = await storePage(database, reader, {
    stream: { ...key, epoch: checkpoint.epoch },
    from: checkpoint.position,
    ...pageOf(stream, records),
    whenWritten: undefined,
    requests: 1,
    release: true,
    source: { requestPath: '/list', observedAt: AT },
  });
  expect(stored).toBe(records);
  const { statements } = tap.take();
  const [row] = await bench.sql.unsafe(
    `select count(*)::int as rows from ${rowsOf(stream)} where repository_id = $1`,
    [repositoryId!],
  );
  // Its begin names the tenant, which is another one.
  return {
    statements: statements.map((text) => text.replace(organizationId, 'tenant')),
    rows: row?.['rows'],
  };
}

test.each(STREAMS)(
  'a page of %s is stored by the same statements, five records or a hundred',
  async (stream) => {
    const few = await storing(stream, 5);
    const many = await storing(stream, 100);
    expect([few.rows, many.rows]).toEqual([5, 100]);
    expect(many.statements).toEqual(few.statements);
    expect(few.statements).toHaveLength(STATEMENTS_OF[stream]);
  },
);
