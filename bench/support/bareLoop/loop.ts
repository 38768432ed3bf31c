import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { uniqueAccounts } from '../../../activities/streams/accountRows.ts';
import { activityItem } from '../../../activities/pullRequests/activityRows.ts';
import { COMMENT_FIELDS } from '../../../activities/bitbucket/fields.ts';
import { readPage, readRecords } from '../../../activities/bitbucket/paging.ts';
import { activitySchema, commentSchema, pullRequestSchema } from '../../../activities/bitbucket/schemas.ts';
import { commentItem } from '../../../activities/pullRequests/commentRows.ts';
import { commitPages, oneAhead } from '../../../activities/git/commitPages.ts';
import { readCommits } from '../../../activities/git/commitReader.ts';
import { createGit } from '../../../activities/git/process.ts';
import { readRefs } from '../../../activities/git/refs.ts';
import { listCommits } from '../../../activities/git/revisionList.ts';
import { pullRequestItem } from '../../../activities/pullRequests/pullRequestRows.ts';
import { activityFeedPath, pullRequestListPath } from '../../../activities/pullRequests/pullRequests.ts';
import type { Item } from '../../../activities/streams/streamReader.ts';
import type { Database, Transaction } from '../../../db/client.ts';
import { upsertAccounts } from '../../../db/queries/accounts.ts';
import { insertActivityOfComments, upsertActivity } from '../../../db/queries/activity.ts';
import { pullRequestsShortOfComments, upsertComments } from '../../../db/queries/comments.ts';
import { upsertCommitFiles, upsertCommits } from '../../../db/queries/commits.ts';
import { upsertPullRequests } from '../../../db/queries/pullRequests.ts';
import type { Source } from './source.ts';

export interface LoopOptions {
  database: Database;
  source: Source;
  organizationId: string;
  repositoryId: string;
  fullName: string;
  /** a folder of its own */
  folder: string;
  /** `git` and `pull_requests`, or one of them */
  parts: readonly string[];
}

type Store = (tx: Transaction, items: readonly Item[]) => Promise<unknown>;

/**
 * What the engine is measured against: the same pages and the same clone, read and written by the same code into the
 * same rows, one page ahead and one transaction a page, but with nothing that makes it durable: no workflow, no request
 * budget, no checkpoint, no counters, no quarantine. A crash would lose it all.
 */
export async function bareLoop(options: LoopOptions): Promise<void> {
  if (options.parts.includes('git')) await readGit(options);
  if (options.parts.includes('pull_requests')) await readPullRequests(options);
}

async function readGit(options: LoopOptions): Promise<void> {
  const { database, source, organizationId, repositoryId, fullName, folder } = options;
  const git = createGit({ home: folder, protocols: ['http', 'https'] });
  const clone = join(folder, 'clone.git');
  const { signal } = new AbortController();
  const remote = source.cloneOf(fullName);
  await git.text({
    // Without its progress a host is silent while it packs, for minutes where a repository is large.
    args: ['clone', '--bare', '--progress', '--template=', '--', remote.url, clone],
    login: remote.login,
    signal,
  });
  const { heads } = await readRefs(git, clone, signal);
  const hashes = listCommits(git, clone, { heads, without: [] }, signal);
  for await (const page of oneAhead(commitPages(readCommits(git, clone, hashes, signal)))) {
    await database.transaction(organizationId, async (tx) => {
      const where = { organizationId, repositoryId, mostlyThere: false };
      await upsertCommits(tx, { ...where, commits: page.commits });
      await upsertCommitFiles(tx, { ...where, files: page.files });
    });
  }
  await rm(clone, { recursive: true, force: true });
}

async function readPullRequests(options: LoopOptions): Promise<void> {
  const { database, organizationId, repositoryId, fullName } = options;
  const scope = { organizationId, repositoryId };
  const base = `/repositories/${fullName}/pullrequests`;
  const row = ({ row: columns }: Item) => columns;

  const all = ['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED'].map((state) => `&state=${state}`).join('');
  const list = `${pullRequestListPath(fullName)}&sort=id${all}`;
  await walk(options, list, pullRequestSchema, pullRequestItem, (tx, items) =>
    upsertPullRequests(tx, scope, items.map(row)),
  );

  await walk(options, activityFeedPath(fullName), activitySchema, activityItem, async (tx, items) => {
    await upsertActivity(tx, scope, items.map(row));
    await upsertComments(
      tx,
      scope,
      items.flatMap(({ comment }) => (comment === undefined ? [] : [comment])),
    );
  });

  const short = await database.transaction(organizationId, (tx) =>
    pullRequestsShortOfComments(tx, scope, { after: 0, since: null, known: {}, limit: 100_000 }),
  );
  for (const { number } of short) {
    await walk(
      options,
      `${base}/${number}/comments?pagelen=100&fields=${COMMENT_FIELDS}`,
      commentSchema,
      (record, observedAt) => commentItem(record, number, observedAt),
      async (tx, items) => {
        await upsertComments(tx, scope, items.map(row));
        const entries = items.flatMap(({ activity }) => (activity === undefined ? [] : [activity]));
        await insertActivityOfComments(tx, scope, entries);
      },
    );
  }
}

async function walk<T>(
  { database, source, organizationId }: LoopOptions,
  path: string,
  schema: Parameters<typeof readRecords<T>>[0],
  item: (
    record: ReturnType<typeof readRecords<T>>['records'][number],
    observedAt: string,
  ) => Item | undefined,
  store: Store,
): Promise<void> {
  let asked: ReturnType<Source['get']> | undefined = source.get(path);
  while (asked !== undefined) {
    const answer = await asked;
    const page = readPage(answer, path);
    asked = page.next === null ? undefined : source.get(page.next);
    // Looked at in its turn.
    asked?.catch(() => {});
    const { records } = readRecords(schema, answer, page);
    const items = records.flatMap((record) => item(record, answer.observedAt) ?? []);
    await database.transaction(organizationId, async (tx) => {
      await upsertAccounts(tx, organizationId, uniqueAccounts(items.flatMap(({ accounts }) => accounts)));
      await store(tx, items);
    });
  }
}
