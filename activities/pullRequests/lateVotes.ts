import { z } from 'zod';
import type { Database } from '../../db/client.ts';
import { pullRequestsBehindTheirActivity } from '../../db/queries/activity.ts';
import type { RepositoryScope } from '../../db/queries/upsert.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readPage, readRecords } from '../bitbucket/paging.ts';
import { pullRequestSchema } from '../bitbucket/schemas.ts';
import { OVERLAP_MS } from '../streams/instants.ts';
import { anyOfIds } from '../streams/keyedWalk.ts';
import { pullRequestItem } from './pullRequestRows.ts';
import { pullRequestListPath } from './pullRequests.ts';
import type { PageRead, Step } from '../streams/streamReader.ts';

export const lateVotesSchema = z.object({
  phase: z.literal('votes'),
  /** pull requests up to this number are settled */
  after: z.int(),
  /** the highest number asked for */
  asked: z.int(),
  began: z.string().nullable(),
  read: z.int(),
  skipped: z.int(),
  /** pull requests that were asked for their own activity */
  except: z.object({ createdUntil: z.string().nullable(), changedSince: z.string().nullable() }).nullable(),
});
export type LateVotes = z.infer<typeof lateVotesSchema>;

// Numbers in one query: a page holds 50 pull requests.
const ASKED_AT_ONCE = 50;

/**
 * Votes that came after their pull request was read: votes need not move `updated_on`, so the list by that does not show
 * them, but the feed does. And pull requests that the feed names and the list did not. Asks for up to 50 of them at once;
 * undefined when there are none.
 */
export async function lateVotesStep(
  database: Database,
  scope: RepositoryScope,
  fullName: string,
  position: LateVotes,
): Promise<Step | undefined> {
  const numbers = await database.transaction(scope.organizationId, (tx) =>
    pullRequestsBehindTheirActivity(tx, scope, {
      after: position.after,
      limit: ASKED_AT_ONCE,
      slackSeconds: OVERLAP_MS / 1_000,
    }),
  );
  const asked = numbers.at(-1);
  if (asked === undefined) return undefined;
  const query = encodeURIComponent(anyOfIds(numbers));
  const path = `${pullRequestListPath(fullName)}&q=${query}&sort=id`;
  return { kind: 'request', place: { path }, at: { ...position, asked } };
}

export function readLateVotes(position: LateVotes, answer: BitbucketAnswer): PageRead {
  const page = readPage(answer, 'pullrequests');
  const { records, rejected } = readRecords(pullRequestSchema, answer, page);
  return {
    items: records.map((record) => pullRequestItem(record, answer.observedAt)),
    rejected,
    recordsOf: 'pull_requests',
    values: page.values,
    position: { ...position, after: position.asked },
    stored: 0,
  };
}
