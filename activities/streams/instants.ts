const FORM = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * One spelling for one instant: UTC with six digits, e.g. `2026-10-07T18:39:55.551762Z`, which also sorts by time.
 * Microseconds are kept (a Date would drop them) and finer digits are cut, as Postgres would round them.
 * Text that is no timestamp comes back unchanged.
 */
export function canonicalInstant(text: string): string {
  const parts = FORM.exec(text);
  if (parts === null) return text;
  const [, day = '', time = '', fraction = '', zone = 'Z'] = parts;
  const offset = zone === 'Z' || /:|\d{4}$/.test(zone) ? zone : `${zone}:00`;
  const colon = /^[+-]\d{4}$/.test(offset) ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset;
  const seconds = new Date(`${day}T${time}${colon}`);
  if (Number.isNaN(seconds.getTime())) return text;
  return `${seconds.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}

/** The instant `ms` milliseconds before, in the spelling of `canonicalInstant`. */
export function before(instant: string, ms: number): string {
  const canonical = canonicalInstant(instant);
  const shifted = new Date(new Date(canonical).getTime() - ms);
  return canonicalInstant(shifted.toISOString());
}

/**
 * How far a later read reaches back behind its watermark: the watermark is Bitbucket's own Date header, in whole
 * seconds and from whichever of its servers answered, whose clocks and replicas may differ.
 */
export const OVERLAP_MS = 5 * 60_000;
