import { z } from 'zod';
import type { CanonicalRecord, RecordKind } from './canonical.ts';

export interface Differences {
  /** at the source, not stored */
  lost: number;
  /** stored, never at the source */
  extra: number;
  /** stored as the source had it earlier */
  stale: number;
  /** stored more often than the source has it */
  duplicated: number;
  /** stored otherwise than the source has it */
  corrupted: number;
  /** how many records were compared */
  records: number;
  /** the first few, in words */
  examples: string[];
}

const SHOWN = 10;
const fields = z.record(z.string(), z.unknown());

export const noDifferences = (): Differences => ({
  lost: 0,
  extra: 0,
  stale: 0,
  duplicated: 0,
  corrupted: 0,
  records: 0,
  examples: [],
});

/** True when Postgres holds exactly what the source has. */
export const isExact = (found: Differences): boolean =>
  found.lost + found.extra + found.stale + found.duplicated + found.corrupted === 0;

export const describeDifferences = (found: Differences): string =>
  `lost=${found.lost} extra=${found.extra} stale=${found.stale} duplicated=${found.duplicated} corrupted=${found.corrupted}`;

interface Group {
  truth: CanonicalRecord[];
  stored: CanonicalRecord[];
}

/** Compares all records of one kind of one repository and adds what differs to `total`. */
export function compareRecords(
  total: Differences,
  place: { repository: string; kind: RecordKind },
  truth: readonly CanonicalRecord[],
  stored: readonly CanonicalRecord[],
): void {
  const groups = new Map<string, Group>();
  const groupOf = (key: string): Group => {
    const known = groups.get(key);
    if (known !== undefined) return known;
    const made: Group = { truth: [], stored: [] };
    groups.set(key, made);
    return made;
  };
  for (const record of truth) groupOf(record.key).truth.push(record);
  for (const record of stored) groupOf(record.key).stored.push(record);
  total.records += truth.length;

  const note = (
    what: Exclude<keyof Differences, 'records' | 'examples'>,
    key: string,
    count: number,
    more = '',
  ): void => {
    if (count === 0) return;
    total[what] += count;
    if (total.examples.length < SHOWN) {
      total.examples.push(`${what}: ${place.kind} ${key.slice(0, 300)} of ${place.repository}${more}`);
    }
  };
  for (const [key, group] of groups) {
    const missing = group.truth.length - group.stored.length;
    if (missing > 0) note('lost', key, missing);
    if (missing < 0) note(group.truth.length === 0 ? 'extra' : 'duplicated', key, -missing);
    for (const [before, now] of differing(group)) {
      const stale = before.updatedOn !== null && now.updatedOn !== null && before.updatedOn < now.updatedOn;
      note(stale ? 'stale' : 'corrupted', key, 1, differingFields(now, before));
    }
  }
}

/** Pairs of (stored, truth) of one key that say different things. */
function differing({ truth, stored }: Group): [CanonicalRecord, CanonicalRecord][] {
  const open = [...truth];
  const unmatched = stored.filter((record) => {
    const at = open.findIndex((candidate) => candidate.content === record.content);
    if (at >= 0) open.splice(at, 1);
    return at < 0;
  });
  return unmatched.flatMap((record, i) => {
    const other = open[i];
    return other === undefined ? [] : [[record, other] satisfies [CanonicalRecord, CanonicalRecord]];
  });
}

const SHOWN_CHARACTERS = 200;

/** The fields that differ, each with what the source and what Postgres says. */
function differingFields(truth: CanonicalRecord, stored: CanonicalRecord): string {
  const [source, here] = [truth, stored].map(
    ({ content }) => new Map(Object.entries(fields.parse(JSON.parse(content)))),
  );
  const names = [...new Set([...(source?.keys() ?? []), ...(here?.keys() ?? [])])];
  const show = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_CHARACTERS);
  return names
    .filter((name) => show(source?.get(name)) !== show(here?.get(name)))
    .map((name) => `\n    ${name}: source ${show(source?.get(name))}, stored ${show(here?.get(name))}`)
    .join('');
}
