import type { Mishap } from './hostileProxy.ts';

export type Random = () => number;

export const below = (random: Random, limit: number): number => Math.floor(random() * limit);

export const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

/** One mishap of the wire; `break` falls anywhere in the head, the body, or behind it. */
export function mishapOf(random: Random): Mishap {
  const roll = random();
  if (roll < 0.25) return { kind: 'refuse' };
  if (roll < 0.5) {
    const bytes = Uint8Array.from({ length: 1 + below(random, 200) }, () => below(random, 256));
    return { kind: 'garbage', bytes };
  }
  return { kind: 'break', afterBytes: 1 + below(random, 60_000), how: pick(random, ['reset', 'end']) };
}

/** Everything that is no page, as hosts and proxies in between send it. */
export const JUNK: readonly ((random: Random) => object)[] = [
  (random) => ({ kind: 'truncate', share: random() * 0.99 }),
  (random) => ({ kind: 'bad_gzip', how: pick(random, ['garbage', 'cut', 'checksum']) }),
  () => ({ kind: 'html' }),
  () => ({ kind: 'wrong_shape' }),
  (random) => ({ kind: 'status', status: pick(random, [500, 502, 503, 504, 555]), body: '<html>' }),
  (random) => ({
    kind: 'status',
    status: 200,
    content_type: pick(random, ['application/json', 'text/html', 'text/plain', '']),
    body: pick(random, NO_PAGES),
  }),
  (random) => ({ kind: 'status', status: pick(random, [201, 202, 203, 204, 206, 304]), body: '' }),
];
const NO_PAGES = [
  '',
  ' ',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '{"values":null}',
  '{"values":{}}',
  '{"values":"[]"}',
  '{"value":[]}',
  '{"values":[]',
  '{"values":[]}}',
  '{"values":[1,]}',
  '{"type":"error","error":{"message":"x"}}',
  '<!DOCTYPE html><html></html>',
  '\ufeff{"values":[]',
  "{'values':[]}",
];
