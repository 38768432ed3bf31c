import { z } from 'zod';
import type { BitbucketAnswer } from '../bitbucket/client.ts';

/**
 * How the import that read a stream last left it, in `streams.memory` under `import`. Committed with the end of the
 * stream, so that a crash neither repeats a round nor counts its records twice.
 */
const lastReadSchema = z.object({
  importId: z.string(),
  /** 0: the import's own reading; from 1 the closing rounds, which read it again */
  round: z.int(),
  /** when its walk had its first answer, by the source's clock; null: it asked for nothing */
  firstAnswerAt: z.string().nullable().default(null),
  /** something was met that was not stored before */
  changed: z.boolean(),
  /** the import's counters are held against the whole table, not against what was read */
  whole: z.boolean(),
  /** rows of the table at that end */
  rows: z.int(),
  /** a list read by key goes on counting where it stood */
  list: z
    .object({
      read: z.int(),
      highest: z.int(),
      expected: z.int().nullable(),
      gone: z.int().default(0),
    })
    .nullable(),
  /** expected records of which nothing is known */
  missing: z.int().default(0),
});
export type LastRead = z.infer<typeof lastReadSchema>;

const memorySchema = z.object({ import: lastReadSchema });

/**
 * What this import left in a stream's memory, or in what is known of it; undefined: it has not ended the stream yet, or
 * another came since.
 */
export function lastReadOf(memory: object | null, importId: string): LastRead | undefined {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success && parsed.data.import.importId === importId ? parsed.data.import : undefined;
}

/**
 * A walk that asked for no more, and took no longer, is left to the next sync: a small repository must not pay three more
 * requests (one in four, where it has ten pages) to find what changed within a minute.
 */
const QUICK = { requests: 25, milliseconds: 60_000 } as const;

/**
 * A host that never rests would keep the import from ending; the next one reads from this one's watermarks. A round asks
 * each list for what changed alone, and only one that found something has another behind it.
 */
const MAX_ROUNDS = 10;

export interface Stand<Name> {
  name: Name;
  /** this import is done with it, as far as its last round goes */
  ended: boolean;
  /** it cannot be had at all, so no round asks for it */
  unavailable: boolean;
  last: LastRead | undefined;
}

/** What an import has asked of a repository by now, in however many chunks. */
export interface Walk {
  requests: number;
  /** when the source gave its latest answer; null: none since this attempt began */
  latestAnswerAt: string | null;
}

export interface Rounds<Name> {
  /** the stream whose turn it is; undefined: all have ended the round in hand */
  next(): Name | undefined;
  ended(name: Name, last: LastRead): void;
  leave(name: Name): void;
  /** Begins the closing round that is due; false: none is, the import is done. */
  begin(walk: Walk): boolean;
}

/**
 * Each stream closes over itself, but a pull request may change while the tickets are still read. So when the last
 * stream has ended, all are read again in turn from their watermarks, until a round finds nothing new.
 * Which round is in hand follows from what the streams remember; nothing else is kept.
 */
export function createRounds<Name>(stands: readonly Stand<Name>[]): Rounds<Name> {
  let begun = 0;
  const taken = stands.map((stand) => ({ ...stand }));
  const find = (name: Name) => taken.filter((stand) => stand.name === name);
  const inHand = (): number => Math.max(begun, ...taken.map(({ last }) => last?.round ?? 0));
  return {
    next() {
      const round = inHand();
      return taken.find(({ ended, unavailable, last }) => {
        if (unavailable) return false;
        // Ended for this import, but read by another since: fresher than any round of ours.
        return !ended || (last !== undefined && last.round < round);
      })?.name;
    },
    ended(name, last) {
      for (const stand of find(name)) Object.assign(stand, { ended: true, last });
    },
    leave(name) {
      for (const stand of find(name)) stand.unavailable = true;
    },
    begin(walk) {
      const round = inHand();
      const rounds = taken.flatMap(({ last, unavailable }) => (unavailable ? [] : (last ?? [])));
      const due =
        round === 0
          ? rounds.length > 0 && !isQuick(rounds, walk)
          : round < MAX_ROUNDS && rounds.some((last) => last.round === round && last.changed);
      if (due) begun = round + 1;
      return due;
    },
  };
}

/** Whether the next sync may find what changed since the first answer; by the source's clock, which all answers share. */
function isQuick(lasts: readonly LastRead[], { requests, latestAnswerAt }: Walk): boolean {
  const firsts = lasts.flatMap(({ firstAnswerAt }) =>
    firstAnswerAt === null ? [] : Date.parse(firstAnswerAt),
  );
  if (firsts.length === 0) return true;
  if (latestAnswerAt === null || requests > QUICK.requests) return false;
  return Date.parse(latestAnswerAt) - Math.min(...firsts) <= QUICK.milliseconds;
}

/** When an answer was given: by the source's own clock, where it says so. */
export const answeredAt = ({ date, observedAt }: Pick<BitbucketAnswer, 'date' | 'observedAt'>): string =>
  date ?? observedAt;
