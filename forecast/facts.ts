import { z } from 'zod';

const count = z.int().nonnegative();

const sight = z.object({ comments: count, votes: count, closed: z.boolean() });

const feedSight = z.object({
  whole: z.boolean(),
  entries: count,
  comments: count,
  deletedComments: count,
  votes: count,
  turns: count,
  /** entries that are newer than the watermark of an earlier import; those of a first import all are */
  fresh: count,
  /** times of the newest and the oldest entry of the page, ISO; null: it has none */
  newest: z.string().nullable(),
  oldest: z.string().nullable(),
});

/** What an estimate has learned of one repository so far; kept in its row, so that no question is asked twice. */
export const factsSchema = z.object({
  list: z
    .object({
      /** pull requests in all, or changed since the watermark */
      size: count,
      /** the lowest number of the newest page */
      lowest: count,
      newest: z.array(sight),
      /** when these were opened, milliseconds since 1970 */
      createdMs: z.array(z.number()),
    })
    .nullable()
    .default(null),
  /** of the pull requests behind the newest ones, spread over all of them */
  spread: z.array(sight).nullable().default(null),
  feed: z
    .union([feedSight, z.literal('gone')])
    .nullable()
    .default(null),
  /** tickets in all, or changed since the watermark; `off` and `gone`: the host says that there are none */
  tickets: z
    .union([count, z.enum(['off', 'gone'])])
    .nullable()
    .default(null),
  /** how long each answer took, milliseconds */
  tookMs: z.array(z.number()).default([]),
});
export type RepositoryFacts = z.infer<typeof factsSchema>;
