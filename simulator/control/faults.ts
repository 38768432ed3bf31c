import { z } from 'zod';
import { createFiring, type Firing, whenSchema } from '../faultRules.ts';

const faultSchema = z.discriminatedUnion('kind', [
  /** 429, with `Retry-After` in seconds, as a date, or without. */
  z.strictObject({
    kind: z.literal('rate_limit'),
    retry_after: z.enum(['none', 'seconds', 'date']).default('none'),
    seconds: z.number().int().min(0).default(60),
  }),
  /** Any status with a plain body: 5xx, 555, 404 … */
  z.strictObject({
    kind: z.literal('status'),
    status: z.number().int().min(200).max(599),
    body: z.string().default(''),
    content_type: z.string().default('text/plain'),
  }),
  /** The connection ends without an answer. */
  z.strictObject({ kind: z.literal('reset') }),
  /** The request takes effect, but its answer never comes: the connection stays silent, or ends. */
  z.strictObject({
    kind: z.literal('lost_answer'),
    how: z.enum(['silence', 'reset']).default('silence'),
  }),
  /** The right answer, its body spread over this time. */
  z.strictObject({ kind: z.literal('slow_body'), ms: z.number().int().min(0) }),
  /** The right answer, one byte at a time with this pause between; never ends within a sane deadline. */
  z.strictObject({ kind: z.literal('drip'), ms: z.number().int().min(1).default(1000) }),
  /** The right head, then nothing, while the connection stays open. */
  z.strictObject({ kind: z.literal('silence') }),
  /** A body that begins like a list and never ends. */
  z.strictObject({ kind: z.literal('endless_body') }),
  /** The right answer, said to be gzip: no gzip at all, gzip cut off, or gzip with a wrong checksum. */
  z.strictObject({
    kind: z.literal('bad_gzip'),
    how: z.enum(['garbage', 'cut', 'checksum']).default('garbage'),
  }),
  /** The right head, part of the body, then the connection ends. */
  z.strictObject({ kind: z.literal('truncate'), share: z.number().min(0).max(1).default(0.5) }),
  /** 200 with JSON of another shape. */
  z.strictObject({ kind: z.literal('wrong_shape') }),
  /** 200 with an empty last page. */
  z.strictObject({ kind: z.literal('empty_list') }),
  /** The right list, but this share of its values is left out; `size` stays or shrinks with them. */
  z.strictObject({
    kind: z.literal('thin_list'),
    share: z.number().min(0).max(1).default(0.3),
    size: z.enum(['kept', 'lowered']).default('kept'),
  }),
  /**
   * The right list, but its `next` leads to the page itself (`self`), to and fro between two addresses (`turn`), to the
   * first page (`first`), from page to page without an end (`endless`), to a page behind the last (`beyond`), or is
   * missing (`none`).
   */
  z.strictObject({
    kind: z.literal('next'),
    to: z.enum(['self', 'turn', 'first', 'endless', 'beyond', 'none']),
  }),
  /** 200 with an HTML page. */
  z.strictObject({ kind: z.literal('html'), status: z.number().int().default(200) }),
  z.strictObject({ kind: z.literal('expired_token') }),
  /** The credential of the request really expires, just before it is looked at. */
  z.strictObject({ kind: z.literal('expire_credential') }),
  /** 401 as for a wrong password. */
  z.strictObject({ kind: z.literal('brownout') }),
  /** The right answer, later. */
  z.strictObject({ kind: z.literal('delay'), ms: z.number().int().min(0) }),
  /** The right page, the JSON text of one of its records bent (`poison.ts`). */
  z.strictObject({
    kind: z.literal('poison'),
    record: z.string(),
    find: z.string(),
    replace: z.string(),
  }),
]);

const ruleSchema = z.strictObject({
  match: z
    .strictObject({
      /** Regular expression on path and query, such as `/pullrequests\\?`. */
      path: z.string().optional(),
      method: z.string().optional(),
      /** Name, kind or owner uuid of a credential. */
      credential: z.string().optional(),
    })
    .default({}),
  ...whenSchema,
  fault: faultSchema,
});

export const faultPlanSchema = z.strictObject({
  seed: z.number().int().default(1),
  rules: z.array(ruleSchema).default([]),
});

export type Fault = z.infer<typeof faultSchema>;
export type FaultPlan = z.infer<typeof faultPlanSchema>;

export interface FaultSubject {
  method: string;
  target: string;
  credential: { name: string; kind: string; person: { uuid: string } } | undefined;
}

export interface Faults {
  /** Throws a ZodError when the plan is none. */
  set(plan: unknown): void;
  /** The plan with how often each rule matched and played. */
  report(): { seed: number; rules: (FaultPlan['rules'][number] & { matched: number; played: number })[] };
  clear(): void;
  /** The fault to play on this request, and how often its rule has been played by it; the first rule that fires wins. */
  next(subject: FaultSubject): { fault: Fault; played: number } | undefined;
}

interface Running {
  rule: FaultPlan['rules'][number];
  path: RegExp | undefined;
  firing: Firing;
}

function applies({ rule, path }: Running, subject: FaultSubject): boolean {
  const { method, credential } = rule.match;
  if (method !== undefined && method.toUpperCase() !== subject.method) return false;
  if (path !== undefined && !path.test(subject.target)) return false;
  if (credential === undefined) return true;
  const known = subject.credential;
  return known !== undefined && [known.name, known.kind, known.person.uuid].includes(credential);
}

export function createFaults(): Faults {
  let seed = 1;
  let rules: Running[] = [];
  return {
    set(plan) {
      const parsed = faultPlanSchema.parse(plan);
      seed = parsed.seed;
      rules = parsed.rules.map((rule, index) => ({
        rule,
        path: rule.match.path === undefined ? undefined : new RegExp(rule.match.path),
        firing: createFiring(rule, seed * 1009 + index),
      }));
    },
    report: () => ({
      seed,
      rules: rules.map(({ rule, firing }) => ({ ...rule, matched: firing.matched, played: firing.played })),
    }),
    clear() {
      rules = [];
    },
    next(subject) {
      for (const running of rules) {
        if (!applies(running, subject) || !running.firing.fires()) continue;
        return { fault: running.rule.fault, played: running.firing.played };
      }
      return undefined;
    },
  };
}
