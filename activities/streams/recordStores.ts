import type { Transaction } from '../../db/client.ts';
import { insertActivityOfComments, upsertActivity } from '../../db/queries/activity.ts';
import { upsertComments } from '../../db/queries/comments.ts';
import { upsertListedCommits } from '../../db/queries/listedCommits.ts';
import type { Brought } from '../../db/queries/quarantine.ts';
import { upsertPullRequests } from '../../db/queries/pullRequests.ts';
import { upsertBranches, upsertTags } from '../../db/queries/refs.ts';
import { upsertTicketChanges, upsertTicketComments, upsertTickets } from '../../db/queries/tickets.ts';
import type { RepositoryScope, Row } from '../../db/queries/upsert.ts';
import type { Stream } from '../../workflows/words.ts';
import { underFormerKeys } from '../pullRequests/formerKeys.ts';
import { isTagRow } from '../commits/listedRows.ts';
import { newestByKey } from '../pullRequests/pullRequestRows.ts';
import type { StoreRecords } from './storeItems.ts';
import type { Item } from './streamReader.ts';

type StoreInto = (tx: Transaction, scope: RepositoryScope, items: readonly Item[]) => Promise<number>;

const byColumns =
  (...columns: string[]) =>
  (row: Row): string =>
    columns.map((column) => String(row[column])).join('/');

const rowsOf = (items: readonly Item[], ...columns: string[]): Row[] =>
  newestByKey(
    items.map((item) => item.row),
    byColumns(...columns),
  );

/** An entry that carries its comment in full brings that along; one that lost its actor is the one stored before. */
const storeActivity: StoreInto = async (tx, scope, items) => {
  const comments = items.flatMap((item) => (item.comment === undefined ? [] : [item.comment]));
  const rows = await underFormerKeys(
    tx,
    scope,
    items.map((item) => item.row),
  );
  const [entries, others] = await Promise.all([
    upsertActivity(tx, scope, newestByKey(rows, byColumns('pull_request_number', 'entry_key'))),
    upsertComments(tx, scope, newestByKey(comments, byColumns('comment_id'))),
  ]);
  return entries + others;
};

/** A comment brings along its entry, for where the feed has not shown it. */
const storeComments: StoreInto = async (tx, scope, items) => {
  const entries = items.flatMap((item) => (item.activity === undefined ? [] : [item.activity]));
  const [written, others] = await Promise.all([
    upsertComments(tx, scope, rowsOf(items, 'comment_id')),
    insertActivityOfComments(tx, scope, newestByKey(entries, byColumns('entry_key'))),
  ]);
  return written + others;
};

/** A page holds either, but what is tried again from quarantine may be mixed. */
const storeRefs: StoreInto = async (tx, scope, items) => {
  const tags = items.filter(isTagRow);
  const branches = items.filter((item) => !isTagRow(item));
  const written = await upsertBranches(tx, scope, rowsOf(branches, 'name'));
  return written + (await upsertTags(tx, scope, rowsOf(tags, 'name')));
};

const STORES: Record<Stream, StoreInto> = {
  refs: storeRefs,
  commits: (tx, scope, items) => upsertListedCommits(tx, scope, rowsOf(items, 'hash')),
  pull_requests: (tx, scope, items) => upsertPullRequests(tx, scope, rowsOf(items, 'number')),
  pull_request_activity: storeActivity,
  pull_request_comments: storeComments,
  tickets: (tx, scope, items) => upsertTickets(tx, scope, rowsOf(items, 'number')),
  ticket_comments: (tx, scope, items) =>
    upsertTicketComments(tx, scope, rowsOf(items, 'ticket_number', 'comment_id')),
  ticket_changes: (tx, scope, items) =>
    upsertTicketChanges(tx, scope, rowsOf(items, 'ticket_number', 'change_id')),
};

/**
 * The streams whose records bring along records of another one: an entry its comment, and a comment its entry. Those are
 * stored with them, so they leave the quarantine with them too.
 */
export const BRINGS: Partial<Record<Stream, Stream>> = {
  pull_request_activity: 'pull_request_comments',
  pull_request_comments: 'pull_request_activity',
};

/** What these records bring along of the other stream: under which keys it may be in quarantine, and how new it is. */
export const broughtBy = (items: readonly Item[]): Brought[] =>
  items.flatMap(({ comment, activity }) => [
    ...(comment === undefined ? [] : [broughtAs(comment, 'comment_id')]),
    ...(activity === undefined ? [] : [broughtAs(activity, 'entry_key')]),
  ]);

const broughtAs = (row: Row, column: string): Brought => ({
  key: `${String(row['pull_request_number'])}/${String(row[column])}`,
  observedAt: String(row['observed_at']),
});

/** How the records of a stream are written: guarded upserts, so that older data never wins. */
export const storeOf =
  (stream: Stream, scope: RepositoryScope): StoreRecords =>
  (tx, items) =>
    STORES[stream](tx, scope, items);
