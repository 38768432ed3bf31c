import { z } from 'zod';
import type { OldestRecord, Position } from './streamReader.ts';

/**
 * A list read in the order of its immutable ids, each page asked for by the last id of the one before: what is inserted,
 * changed or removed meanwhile cannot shift it (facts 3.1). A `walk` reads all of it, a `delta` what changed since.
 * What changes behind either is read by the import's closing rounds (`closing.ts`).
 */
const positionSchema = z.object({
  phase: z.enum(['walk', 'delta']),
  /** the highest id read */
  after: z.int(),
  /** the first answer, by Bitbucket's clock */
  began: z.string().nullable(),
  /** delta: asks for what changed since then */
  since: z.string().nullable(),
  /** delta: what changed before this was stored and counted earlier, and only shows that the list is not falsely empty */
  counts: z.string().nullable(),
  /** delta: the newest stored record, or one of them, is asked for too, so the list cannot be empty */
  shows: z.boolean(),
  /** delta: so many records are as new as the newest that this one alone is asked for with what changed */
  shown: z.int().nullable().default(null),
  /** records read, each once, for what is expected in all */
  read: z.int(),
  /** the highest id met earlier in this import: what is above is new */
  highest: z.int(),
  expected: z.int().nullable(),
  /** records read that do not count: they were stored and counted earlier */
  known: z.int().default(0),
  /** a closing round: what is above `highest` is all that it adds */
  closes: z.boolean().default(false),
  /** records that the list had when it was counted, and has no more */
  gone: z.int().default(0),
  /** the list was read from its start: the whole table can be held against it */
  whole: z.boolean().default(false),
  pages: z.int(),
  /** the end of the list was met */
  ended: z.boolean(),
  /** where it stood before the last page, and how many records that page said are behind it */
  stretch: z
    .object({
      after: z.int(),
      read: z.int(),
      highest: z.int(),
      known: z.int(),
      expected: z.int().nullable(),
      left: z.int(),
      again: z.int().default(0),
    })
    .nullable()
    .default(null),
  /** so often the page in hand was asked for before, because the one behind it knew of fewer records */
  again: z.coerce.number().default(0),
  /** what its answer before showed, and how many answers since were not believed that showed less of the same */
  showed: z
    .object({
      after: z.int(),
      records: z.int(),
      size: z.int(),
      denied: z.int(),
    })
    .nullable()
    .default(null),
});
export type KeyedPosition = z.infer<typeof positionSchema>;

/** Where a list begins that is read from its start; `position` says what is otherwise. */
export const startKeyed = (position: Partial<KeyedPosition>): KeyedPosition => ({
  phase: 'walk',
  after: 0,
  began: null,
  since: null,
  counts: null,
  shows: false,
  shown: null,
  read: 0,
  highest: 0,
  expected: null,
  known: 0,
  closes: false,
  gone: 0,
  whole: false,
  pages: 0,
  ended: false,
  stretch: null,
  again: 0,
  showed: null,
  ...position,
});

export const parseKeyed = (position: Position): KeyedPosition => positionSchema.parse(position);

export const safeParseKeyed = (position: unknown) => positionSchema.safeParse(position);

/** The oldest record of a list that is read whole; a list of changes need not show it. */
export const oldestOfWalk = (position: Position, oldest: OldestRecord): OldestRecord | undefined =>
  parseKeyed(position).phase === 'walk' ? oldest : undefined;
