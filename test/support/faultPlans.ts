import { below, JUNK, pick, type Random } from './badAnswers.ts';

/** A rule of the simulator's fault plan. */
export type Rule = Record<string, unknown> & { fault: object };

const LISTS = [
  '/pullrequests\\?',
  '/pullrequests/activity',
  '/pullrequests/\\d+/',
  '/issues\\?',
  '/issues/\\d+/',
];
const API = { path: '/repositories/' };

/** So many requests of a list are met, never two behind each other: the second witness of a falsely empty list is true. */
const places = (random: Random, many: number): number[] => {
  let at = 1 + below(random, 8);
  return Array.from({ length: many }, () => {
    const place = at;
    at += 3 + below(random, 12);
    return place;
  });
};

const ofList = (random: Random) => ({ path: pick(random, LISTS) });

/** Each kind of fault that a host and its wire know (reliability.md, F20 to F28), as a plan may hold it. */
const KINDS: Record<string, (random: Random) => Rule> = {
  'F20 limit': (random) => ({
    match: random() < 0.5 ? API : ofList(random),
    probability: 0.1,
    count: 1 + below(random, 3),
    fault: {
      kind: 'rate_limit',
      retry_after: pick(random, ['none', 'seconds', 'date']),
      seconds: 20 + below(random, 4_000),
    },
  }),
  'F21 error': (random) => ({
    match: API,
    probability: 0.1 + random() * 0.3,
    count: 1 + below(random, 25),
    fault: { kind: 'status', status: pick(random, [500, 502, 503, 504, 555]) },
  }),
  'F22 reset': (random) => ({
    match: API,
    probability: 0.1 + random() * 0.3,
    count: 1 + below(random, 15),
    fault: { kind: 'reset' },
  }),
  'F23 slow': (random) => ({
    match: API,
    probability: 0.1,
    count: 1,
    fault: pick(random, [{ kind: 'drip', ms: 200 }, { kind: 'silence' }, { kind: 'endless_body' }]),
  }),
  'F24 junk': (random) => ({
    match: API,
    probability: 0.1 + random() * 0.3,
    count: 1 + below(random, 12),
    fault: pick(random, JUNK)(random),
  }),
  'F25 empty': (random) => ({
    match: API,
    nth: places(random, 1 + below(random, 6)),
    fault: { kind: 'empty_list' },
  }),
  'F25 thin': (random) => ({
    match: { path: pick(random, ['/pullrequests\\?', '/pullrequests/\\d+/comments', '/issues']) },
    nth: places(random, 1 + below(random, 3)),
    fault: { kind: 'thin_list', share: 0.3, size: 'kept' },
  }),
  'F27 next': (random) => ({
    match: ofList(random),
    nth: places(random, 1 + below(random, 3)),
    fault: { kind: 'next', to: pick(random, ['self', 'turn', 'first', 'endless', 'beyond', 'none']) },
  }),
  'F28 expiry': (random) => ({
    match: API,
    nth: places(random, 1 + below(random, 3)),
    fault: { kind: pick(random, ['expire_credential', 'expired_token']) },
  }),
};

/** A plan of two to five kinds of fault, each of which ends by itself. Two are the seed's turn: five seeds in a row know all. */
export function faultPlan(seed: number, random: Random): { names: string[]; rules: Rule[] } {
  const kinds = Object.entries(KINDS);
  const turn = [2 * seed, 2 * seed + 1].map((place) => kinds[place % kinds.length]!);
  const chosen = [...turn, ...Array.from({ length: below(random, 4) }, () => pick(random, kinds))];
  return { names: chosen.map(([name]) => name), rules: chosen.map(([, rule]) => rule(random)) };
}
