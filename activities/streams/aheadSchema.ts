import { z } from 'zod';

/**
 * What a walk has ahead of it (`Ahead` of forecast/ahead.ts), part of the positions of streams that know more of it than
 * the records that they have announced. Progress reads it there (db/queries/sharedProgress.ts). null: not known.
 */
export const aheadSchema = z
  .object({
    requests: z.int(),
    records: z.object({ low: z.number(), expected: z.number(), high: z.number() }).nullable(),
  })
  .nullable()
  .default(null);
