import { z } from 'zod';
import { createFiring, type Firing, whenSchema } from '../faultRules.ts';
import type { Delivery } from './sendDelivery.ts';

const faultSchema = z.discriminatedUnion('kind', [
  /** Never sent. */
  z.strictObject({ kind: z.literal('lose') }),
  /** Sent, and then so many times more, with the same headers and bytes. */
  z.strictObject({ kind: z.literal('duplicate'), times: z.number().int().min(1).default(1) }),
  /** Waits so long before it is sent; what comes after it for the same hook waits too. */
  z.strictObject({ kind: z.literal('delay'), ms: z.number().int().min(0) }),
  /** Sent so much later; others pass it by. */
  z.strictObject({ kind: z.literal('late'), ms: z.number().int().min(0) }),
  /** Held until so many are together, or for so long, then all sent in another order. */
  z.strictObject({
    kind: z.literal('reorder'),
    window: z.number().int().min(2).default(4),
    within_ms: z.number().int().min(0).default(500),
  }),
]);

const ruleSchema = z.strictObject({
  match: z
    .strictObject({
      /** Regular expression on the event's key. */
      event: z.string().optional(),
      /** uuid of a hook */
      hook: z.string().optional(),
      /** uuid of a repository */
      repository: z.string().optional(),
    })
    .default({}),
  ...whenSchema,
  fault: faultSchema,
});

const planSchema = z.strictObject({
  seed: z.number().int().default(1),
  rules: z.array(ruleSchema).default([]),
});

export type DeliveryFault = z.infer<typeof faultSchema>;
type Rule = z.infer<typeof ruleSchema>;

export interface DeliveryFaults {
  /** Throws a ZodError when the plan is none. */
  set(plan: unknown): void;
  /** The plan with how often each rule matched and played. */
  report(): { seed: number; rules: (Rule & { matched: number; played: number })[] };
  clear(): void;
  /** The fault to play on this delivery; the first rule that fires wins. */
  next(delivery: Delivery): DeliveryFault | undefined;
  /** Decides orders. */
  readonly seed: number;
}

interface Running {
  rule: Rule;
  event: RegExp | undefined;
  firing: Firing;
}

function applies({ rule, event }: Running, delivery: Delivery): boolean {
  const { hook, repository } = rule.match;
  if (event !== undefined && !event.test(delivery.event)) return false;
  if (hook !== undefined && hook !== delivery.hook) return false;
  return repository === undefined || repository === delivery.repository;
}

/** What becomes of deliveries on their way, by a plan like the one of requests. */
export function createDeliveryFaults(): DeliveryFaults {
  let seed = 1;
  let rules: Running[] = [];
  return {
    get seed() {
      return seed;
    },
    set(plan) {
      const parsed = planSchema.parse(plan);
      seed = parsed.seed;
      rules = parsed.rules.map((rule, index) => ({
        rule,
        event: rule.match.event === undefined ? undefined : new RegExp(rule.match.event),
        firing: createFiring(rule, seed * 2003 + index),
      }));
    },
    report: () => ({
      seed,
      rules: rules.map(({ rule, firing }) => ({ ...rule, matched: firing.matched, played: firing.played })),
    }),
    clear() {
      rules = [];
    },
    next(delivery) {
      const found = rules.find((running) => applies(running, delivery) && running.firing.fires());
      return found?.rule.fault;
    },
  };
}
