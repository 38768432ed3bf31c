import { z } from 'zod';

export const loadInput = z.object({
  /** the whole address of the hook */
  url: z.url(),
  secret: z.string(),
  perSecond: z.number(),
  seconds: z.number(),
  /** of a body */
  bytes: z.number(),
  /** names this load in its bodies, beside a number that no other body of it has */
  load: z.string(),
  /** uuids of repositories that deliveries are about in turn */
  repositories: z.array(z.string()).min(1),
});
export type LoadInput = z.infer<typeof loadInput>;

export const loadResult = z.object({
  sent: z.number(),
  /** by status; 0: no answer */
  statuses: z.record(z.string(), z.number()),
  /** numbers of those that were not answered 2xx */
  refused: z.array(z.number()),
  p50Ms: z.number(),
  p99Ms: z.number(),
  maxMs: z.number(),
});
export type LoadResult = z.infer<typeof loadResult>;
