import { z } from 'zod';
import type { BitbucketError } from '../bitbucket/errors.ts';
import type { RejectedRecord } from '../bitbucket/records.ts';
import { MAX_RESTARTS, refusesNext } from '../streams/nextWalk.ts';

/** A host that knows of none of our commits is no host of theirs. */
const MAX_UNKNOWN = 1_000;

/** Where a walk through the commits of the API stands. */
export const positionSchema = z.object({
  /** lists that were read to their end */
  lists: z.int(),
  /** the list in hand is of everything (that is new), not of what is missing */
  all: z.boolean(),
  /** null: no list is in hand */
  next: z.string().nullable(),
  pages: z.int(),
  restarts: z.int(),
  /** commits of which the host says that it does not know them (any more) */
  unknown: z.array(z.string()),
  /** a list may have left something out: behind a commit in quarantine nobody would miss it */
  doubted: z.boolean().default(false),
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
});
export type CommitPosition = z.infer<typeof positionSchema>;

export const start: CommitPosition = {
  lists: 0,
  all: false,
  next: null,
  pages: 0,
  restarts: 0,
  unknown: [],
  doubted: false,
  began: null,
};

/** The list in hand is given up: of one that had begun the rest was not seen. */
export const withoutList = (position: CommitPosition): CommitPosition => ({
  ...position,
  next: null,
  pages: 0,
  doubted: position.doubted || position.next !== null,
});

/**
 * Where to go on after a refusal: without the commits that the host does not know (after a force-push they are collected
 * as garbage, facts 3.6), or with a new list where a stored `next` is refused. Undefined: the error stands.
 */
export function behindRefusal(
  position: CommitPosition,
  { type, finding }: BitbucketError,
): CommitPosition | undefined {
  const { next, restarts } = position;
  const again = withoutList(position);
  const unknown = [...new Set([...position.unknown, ...shasOf(finding.details?.['shas'])])];
  if (unknown.length > position.unknown.length && unknown.length <= MAX_UNKNOWN) return { ...again, unknown };
  if (!refusesNext(next, type) || restarts >= MAX_RESTARTS) return undefined;
  return { ...again, restarts: restarts + 1 };
}

/** Only hashes: what else an answer says there must not come into a stored position. */
const shasOf = (shas: unknown): string[] =>
  Array.isArray(shas) ? shas.filter((sha) => typeof sha === 'string' && /^[0-9a-f]{7,40}$/.test(sha)) : [];

/**
 * Behind pages 1, 2, 4, 8 … of a list of what is missing: the host may not know any more what earlier imports completed,
 * and then lists all that is behind it too.
 */
export const isLookDue = ({ all, pages }: CommitPosition): boolean =>
  !all && pages > 0 && Number.isInteger(Math.log2(pages));

/** It has no parents, so it hides none. */
const rootSchema = z.object({ parents: z.tuple([]) });

/**
 * Whether a list that ends with this page may have left out what only a commit in quarantine names. One that was cut
 * short looks so: its last page is empty, or a commit on it cannot be read. The list of everything that is read for such
 * a doubt settles it.
 */
export function isEndDoubted(
  { all, doubted }: CommitPosition,
  values: readonly unknown[],
  rejected: readonly RejectedRecord[],
): boolean {
  if (doubted) return !all;
  return values.length === 0 || rejected.some(({ index }) => !rootSchema.safeParse(values[index]).success);
}
