import { existsSync, readFileSync } from 'node:fs';
import { sql } from 'drizzle-orm';
import type { z } from 'zod';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { activityItem } from '../../../activities/pullRequests/activityRows.ts';
import { parseRecords, type ParsedRecord } from '../../../activities/bitbucket/records.ts';
import {
  activitySchema,
  commentSchema,
  issueCommentSchema,
  pullRequestSchema,
} from '../../../activities/bitbucket/schemas.ts';
import { uniqueAccounts } from '../../../activities/streams/accountRows.ts';
import { commentItem } from '../../../activities/pullRequests/commentRows.ts';
import { pullRequestItem } from '../../../activities/pullRequests/pullRequestRows.ts';
import type { Item } from '../../../activities/streams/streamReader.ts';
import { ticketCommentItem } from '../../../activities/tickets/ticketRows.ts';
import type { Transaction } from '../../../db/client.ts';
import { upsertAccounts } from '../../../db/queries/accounts.ts';
import { upsertActivity } from '../../../db/queries/activity.ts';
import { upsertComments } from '../../../db/queries/comments.ts';
import { upsertPullRequests } from '../../../db/queries/pullRequests.ts';
import { upsertTicketComments } from '../../../db/queries/tickets.ts';
import type { RepositoryScope, Row } from '../../../db/queries/upsert.ts';
import { createSituation, type Situation } from './situation.ts';

// Third-party recordings that are not ours to copy: beside the checkout where they are, else skipped visibly.
const FOLDER = new URL('../../../../shared/bitbucket/fixtures/', import.meta.url);
const OBSERVED = '2026-11-01T00:00:00Z';

type Upsert = (tx: Transaction, scope: RepositoryScope, rows: readonly Row[]) => Promise<number>;

let situation: Situation;
let scope: RepositoryScope;
beforeAll(async () => {
  situation = await createSituation({ size: 'tiny' });
  const [first] = (await (await fetch(`${situation.simulator.url}/_simulator/state`)).text())
    .split('\n')
    .filter((line) => line.includes('"kind":"repository"'))
    .map((line) => JSON.parse(line) as { full_name: string });
  scope = {
    organizationId: situation.organizationId,
    repositoryId: await situation.repository(first?.full_name ?? ''),
  };
});
afterAll(() => situation.close());

/** The records of a recording: its list, the object itself, or what stands under `inside` (a webhook's body). */
function recordsOf(file: string, inside?: string): unknown[] {
  const whole = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Record<string, unknown>;
  // Some recordings keep the answer's head beside its body.
  const json = 'body' in whole ? (whole['body'] as Record<string, unknown>) : whole;
  if (inside !== undefined) return [json[inside]];
  return Array.isArray(json['values']) ? json['values'] : [json];
}

async function store<T>(
  file: string,
  records: unknown[],
  schema: z.ZodType<T>,
  itemOf: (record: ParsedRecord<T>) => Item | undefined,
  upsert: Upsert,
): Promise<number> {
  const parsed = parseRecords(schema, records);
  expect(parsed.rejected.map(({ reason }) => `${file}: ${reason}`)).toEqual([]);
  const items = parsed.records.flatMap((record) => itemOf(record) ?? []);
  return situation.database.transaction(scope.organizationId, async (tx) => {
    await upsertAccounts(tx, scope.organizationId, uniqueAccounts(items.flatMap((item) => item.accounts)));
    return upsert(
      tx,
      scope,
      items.map((item) => item.row),
    );
  });
}

describe.skipIf(!existsSync(FOLDER))(
  'recorded payloads become rows (skipped where ../shared is absent)',
  () => {
    test.each([
      ['drone-go-scm/testdata/pr.json', 1],
      ['drone-go-scm/testdata/prs.json', null],
      ['go-gitea-gitea/pullrequests_page1.json', null],
      ['gildas-bitbucket-cli/testdata/pullrequest.json', 1],
      ['gildas-bitbucket-cli/testdata/pullrequests.json', null],
      ['gildas-bitbucket-cli/testdata/pullrequest-no-dest-repo.json', 1],
    ])('pull requests of %s', async (file, expected) => {
      await situation.rows(sql`delete from pull_requests`);
      const records = recordsOf(file);
      const written = await store(
        file,
        records,
        pullRequestSchema,
        (record) => pullRequestItem(record, OBSERVED),
        upsertPullRequests,
      );
      expect(written).toBe(expected ?? records.length);
      expect(written).toBeGreaterThan(0);
    });

    test.each([
      ['update', 1],
      ['approval', 1],
      ['comment', 1],
      ['missing', 0],
    ])('activity-%s', async (name, expected) => {
      const file = `gildas-bitbucket-cli/testdata/activity-${name}.json`;
      const written = await store(
        file,
        recordsOf(file),
        activitySchema,
        (record) => activityItem(record, OBSERVED),
        upsertActivity,
      );
      expect(written).toBe(expected);
    });

    test.each([['prcomment.json'], ['prcomments.json']])('comments of %s', async (name) => {
      await situation.rows(sql`delete from pull_request_comments`);
      const file = `drone-go-scm/testdata/${name}`;
      const records = recordsOf(file);
      const written = await store(
        file,
        records,
        commentSchema,
        (record) => commentItem(record, 1, OBSERVED),
        upsertComments,
      );
      expect(written).toBe(records.length);
    });

    test('a comment of a ticket, as a webhook carried it', async () => {
      const folder = 'go-playground-webhooks/bitbucket';
      const file = `${folder}/issue-comment-created.json`;
      const comment = recordsOf(file, 'comment');
      const itemOf = (record: Parameters<typeof ticketCommentItem>[0]) =>
        ticketCommentItem(record, 1, OBSERVED);
      expect(await store(file, comment, issueCommentSchema, itemOf, upsertTicketComments)).toBe(1);
    });
  },
);
