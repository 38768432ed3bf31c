import { z } from 'zod';

/** A route, and addresses of it that are asked for in turn. */
const target = z.object({
  name: z.string(),
  /** how many of the requests go there, beside the weights of the others */
  weight: z.number(),
  paths: z.array(z.string()).min(1),
});
export type Target = z.infer<typeof target>;

export const readInput = z.object({
  /** of the api */
  url: z.url(),
  perSecond: z.number(),
  seconds: z.number(),
  targets: z.array(target).min(1),
});
export type ReadInput = z.infer<typeof readInput>;

const figures = z.object({ p50Ms: z.number(), p99Ms: z.number(), maxMs: z.number() });
export const readResult = figures.extend({
  sent: z.number(),
  /** answers a second, from the first request to the last answer */
  perSecond: z.number(),
  /** by status; 0: no answer */
  statuses: z.record(z.string(), z.number()),
  byTarget: z.record(z.string(), figures),
});
export type ReadResult = z.infer<typeof readResult>;
