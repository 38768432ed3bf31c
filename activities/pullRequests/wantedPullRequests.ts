import { z } from 'zod';
import { firstStillWanted, letGoWanted, type Wanted } from '../../db/queries/wantedPullRequests.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { readPage, readRecords } from '../bitbucket/paging.ts';
import { pullRequestSchema } from '../bitbucket/schemas.ts';
import { anyOfIds } from '../streams/keyedWalk.ts';
import { pullRequestItem } from './pullRequestRows.ts';
import type { PageRead, Position, ReaderContext, Step } from '../streams/streamReader.ts';

// Numbers in one query: a page holds 50 pull requests.
const ASKED_AT_ONCE = 50;

const askedSchema = z.object({
  wanted: z.array(z.object({ number: z.int(), askedAt: z.string() })).default([]),
});

/** What a position behind the list asks for by itself; none: the position is one of the list. */
export const askedIn = (position: Position): Wanted[] => askedSchema.parse(position).wanted;

/**
 * Pull requests of which a delivery told what their list need not show: a vote that was taken back moves no `updated_on` and
 * leaves no entry (facts 3.7). `wanted` is what was wanted when the stream was opened, so before each answer: a page that
 * shows one settles it, and behind the list's end the others are asked for, 50 with one request. What is asked for later
 * has a sync of its own.
 */
export function createWantedPullRequests(
  { database, scope }: ReaderContext,
  { wanted, listPath }: { wanted: readonly Wanted[]; listPath: string },
) {
  const part = 'record';

  /** The request that a position behind the list asks for; undefined: none is left. */
  async function step(ended: Position): Promise<Step | undefined> {
    if (wanted.length === 0) return undefined;
    const asked = await database.transaction(scope.organizationId, (tx) =>
      firstStillWanted(tx, scope, { part, wanted, limit: ASKED_AT_ONCE }),
    );
    if (asked.length === 0) return undefined;
    const query = encodeURIComponent(anyOfIds(asked.map(({ number }) => number)));
    const path = `${listPath}&q=${query}&sort=id`;
    return { kind: 'request', place: { path }, at: { ...ended, wanted: asked } };
  }

  /** Those that an answer does not show are asked for again; where it shows none of them, they are let go. */
  function read(position: Position, answer: BitbucketAnswer): PageRead {
    const asked = askedIn(position);
    const page = readPage(answer, 'pullrequests');
    const { records, rejected } = readRecords(pullRequestSchema, answer, page);
    const items = records.map((record) => pullRequestItem(record, answer.observedAt));
    const { wanted: _asked, ...ended } = position;
    const shown = shownIn(items, asked);
    const answered = shown.length === 0 ? asked : shown;
    return {
      items,
      rejected,
      values: page.values,
      position: ended,
      stored: 0,
      also: (tx) => letGoWanted(tx, scope, { part, wanted: answered }),
    };
  }

  /** A page of the list settles what it shows. */
  function settledBy(page: PageRead): PageRead {
    const shown = shownIn(page.items, wanted);
    return shown.length === 0
      ? page
      : { ...page, also: (tx) => letGoWanted(tx, scope, { part, wanted: shown }) };
  }

  return { step, read, settledBy };
}

function shownIn(items: PageRead['items'], wanted: readonly Wanted[]): Wanted[] {
  const shown = new Set(items.map(({ row }) => row['number']));
  return wanted.filter(({ number }) => shown.has(number));
}
