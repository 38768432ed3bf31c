import { createHash } from 'node:crypto';

/** Deterministic choices: the same parts give the same sequence on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number;
  /** An integer in [0, bound). */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
}

/** Mixes integers into one 32-bit seed. Cheap enough to be called once per pull request and page. */
export function mix(...parts: number[]): number {
  let state = 0x9e3779b9;
  for (const part of parts) {
    state = Math.imul(state ^ (part >>> 0), 0x85ebca6b);
    state = (state ^ (state >>> 13)) >>> 0;
    state = Math.imul(state, 0xc2b2ae35);
    state = (state ^ (state >>> 16)) >>> 0;
  }
  return state;
}

/** A 32-bit number of a text, for {@link mix}. */
export function textSeed(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4294967296;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick<T>(list: readonly T[]): T {
      const chosen = list[below(list.length)];
      if (chosen === undefined) throw new Error('cannot pick from an empty list');
      return chosen;
    },
  };
}

/** A version 4 UUID in braces, as Bitbucket writes them, decided by its name alone. */
export function bracedUuid(name: string): string {
  const hex = createHash('sha256').update(name).digest('hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 3) | 8).toString(16);
  return `{${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}}`;
}

/** URL-safe secret text of a length, decided by its name alone. */
export function secretText(name: string, length: number): string {
  let text = '';
  for (let block = 0; text.length < length; block += 1) {
    text += createHash('sha512').update(`${name}/${block}`).digest('base64url').replaceAll(/[-_]/g, '');
  }
  return text.slice(0, length);
}
