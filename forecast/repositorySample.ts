import { exactly, type Range, sum } from './range.ts';

export interface ChosenRepository {
  id: string;
  /** as Bitbucket gave it; null: not said */
  sizeBytes: number | null;
}

/** One repository that is asked about, and how many of the chosen ones it stands for. */
export interface SampledRepository {
  id: string;
  stratum: number;
  weight: number;
}

/** The largest of a third of the sample are asked for themselves: they make most of the work. */
const CERTAIN_SHARE = 3;
/** Two of each stratum, so that its spread shows. */
const PER_STRATUM = 2;

/**
 * Up to `limit` repositories to ask about: all where there are no more; else the largest ones and, of the others, two out
 * of each of equally many with neighbouring sizes. The same choice gives the same sample: the hash of its id decides
 * which repository speaks for its stratum.
 */
export function sampleRepositories(chosen: readonly ChosenRepository[], limit: number): SampledRepository[] {
  const ordered = chosen.toSorted(bySize);
  if (ordered.length <= limit) return ordered.map(({ id }, stratum) => ({ id, stratum, weight: 1 }));
  const strataCount = Math.max(1, Math.floor((limit - Math.floor(limit / CERTAIN_SHARE)) / PER_STRATUM));
  const certain = Math.max(0, limit - strataCount * PER_STRATUM);
  const largest = ordered.slice(0, certain).map(({ id }, stratum) => ({ id, stratum, weight: 1 }));
  const others = ordered.slice(certain);
  const spoken = Array.from({ length: strataCount }, (_, index) => {
    const from = Math.floor((index * others.length) / strataCount);
    const to = Math.floor(((index + 1) * others.length) / strataCount);
    const members = others.slice(from, to);
    const speakers = members.toSorted((one, other) => hash(one.id) - hash(other.id)).slice(0, PER_STRATUM);
    return speakers.map(({ id }) => ({
      id,
      stratum: certain + index,
      weight: members.length / speakers.length,
    }));
  });
  return [...largest, ...spoken.flat()];
}

const bySize = (one: ChosenRepository, other: ChosenRepository): number =>
  (other.sizeBytes ?? -1) - (one.sizeBytes ?? -1) || (one.id < other.id ? -1 : 1);

/** FNV-1a: spreads ids evenly, and stays the same in every version of Node. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return value >>> 0;
}

/** Standard deviations: the spread of a stratum is itself only guessed, from two. */
const SURE = 3;

/** What a sampled repository says, for those that it stands for. */
export interface Spoken {
  stratum: number;
  weight: number;
  value: Range;
}

/** The total over all chosen repositories, from those that were asked (stratified sampling, Cochran 5.2). */
export function extrapolate(spoken: readonly Spoken[]): Range {
  const own = spoken.map(({ weight, value }) => ({
    low: value.low * weight,
    expected: value.expected * weight,
    high: value.high * weight,
    basis: value.basis,
  }));
  const strata = new Set(spoken.flatMap(({ stratum, weight }) => (weight > 1 ? [stratum] : [])));
  const between = [...strata].map((stratum): Range => {
    const members = spoken.filter((one) => one.stratum === stratum);
    const values = members.map(({ value }) => value.expected);
    const mean = values.reduce((total, value) => total + value, 0) / values.length;
    const spread =
      values.reduce((total, value) => total + (value - mean) ** 2, 0) / Math.max(1, values.length - 1);
    const size = members.reduce((total, { weight }) => total + weight, 0);
    const error = SURE * size * Math.sqrt(((1 - values.length / size) * spread) / values.length);
    return { low: -error, expected: 0, high: error, basis: 'sampled_repositories' };
  });
  return spoken.length === 0 ? exactly(0) : sum([...own, ...between]);
}
