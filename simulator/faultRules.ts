import { z } from 'zod';
import { createRandom } from './model/random.ts';

/** When a rule of a fault plan fires, of the cases that match it. */
export const whenSchema = {
  /** Only these of the matching cases, counted from 1. */
  nth: z.union([z.number().int(), z.array(z.number().int())]).optional(),
  /** Only this share of them, decided by the plan's seed. */
  probability: z.number().min(0).max(1).optional(),
  /** At most so often. */
  count: z.number().int().min(0).optional(),
};

interface When {
  nth?: number | number[] | undefined;
  probability?: number | undefined;
  count?: number | undefined;
}

export interface Firing {
  readonly matched: number;
  readonly played: number;
  /** Counts one more case that matches, and tells whether the rule fires on it. */
  fires(): boolean;
}

export function createFiring(when: When, seed: number): Firing {
  const random = createRandom(seed);
  let matched = 0;
  let played = 0;

  function wants(): boolean {
    if (when.count !== undefined && played >= when.count) return false;
    if (when.nth !== undefined && ![when.nth].flat().includes(matched)) return false;
    return when.probability === undefined || random.chance(when.probability);
  }

  return {
    get matched() {
      return matched;
    },
    get played() {
      return played;
    },
    fires() {
      matched += 1;
      if (!wants()) return false;
      played += 1;
      return true;
    },
  };
}
