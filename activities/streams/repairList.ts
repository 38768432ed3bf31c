import { z } from 'zod';
import type { KnownShort } from '../../db/queries/activity.ts';

export interface Candidate {
  number: number;
}

/** Numbers are looked up this many at a time, where a look-up reads the whole table. */
const BATCH = 500;

/**
 * The next pull request above `after` that must be asked for itself, from a look-up that is only repeated when its answers are
 * used up: asking for one changes nothing about those above it. `batch`: how many numbers a look-up gives at most.
 */
export function createCandidates<Found extends Candidate>(
  find: (after: number, limit: number) => Promise<Found[]>,
  batch = BATCH,
): (after: number) => Promise<Found | undefined> {
  let found: Found[] = [];
  let complete = false;
  let from = Number.POSITIVE_INFINITY;
  return async (after) => {
    found = found.filter(({ number }) => number > after);
    if (found.length === 0 && !(complete && after >= from)) {
      found = await find(after, batch);
      complete = found.length < batch;
      from = after;
    }
    return found[0];
  };
}

const memorySchema = z.object({ short: z.record(z.string(), z.string()) });

/** The pull requests that a stream remembers as short at the source itself. */
export function knownShort(memory: Record<string, unknown> | null): KnownShort {
  const parsed = memorySchema.safeParse(memory);
  return parsed.success ? parsed.data.short : {};
}

const givenUpSchema = z.object({ givenUp: z.boolean() });

/** Whether the last walk had to do without the activity feed, or without a part of it. */
export function feedGivenUp(memory: Record<string, unknown> | null): boolean {
  const parsed = givenUpSchema.safeParse(memory);
  return parsed.success && parsed.data.givenUp;
}

const startedSchema = z.object({ started: z.string() });

/** When the last walk of the whole activity feed began, by Bitbucket's clock and from its memory; null: it was never walked. */
export function feedStarted(memory: Record<string, unknown> | null): string | null {
  const parsed = startedSchema.safeParse(memory);
  return parsed.success ? parsed.data.started : null;
}
