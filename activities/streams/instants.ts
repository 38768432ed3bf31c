const FORM = /^(\d{4,})-(\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** What has four digits for its year in UTC: neither Postgres nor a host's query takes others. */
const EARLIEST = '0001-01-01T00:00:00.000000Z';
const LATEST = '9999-12-31T23:59:59.999999Z';

function spell(seconds: Date, fraction: string): string {
  if (seconds.getTime() < Date.parse(EARLIEST)) return EARLIEST;
  if (seconds.getTime() > Date.parse(LATEST)) return LATEST;
  return `${seconds.toISOString().slice(0, 19)}.${fraction.padEnd(6, '0').slice(0, 6)}Z`;
}

/**
 * One spelling for one instant: UTC with six digits, e.g. `2026-10-07T18:39:55.551762Z`, which also sorts by time.
 * Microseconds are kept (a Date would drop them) and finer digits are cut, as Postgres would round them. What lies outside
 * the years 1 to 9999 in UTC comes back as the nearest within. Text that is no timestamp comes back unchanged.
 */
export function canonicalInstant(text: string): string {
  const parts = FORM.exec(text);
  if (parts === null) return text;
  const [, year = '', day = '', time = '', fraction = '', zone = 'Z'] = parts;
  if (year.length > 4) return LATEST;
  const offset = zone === 'Z' || /:|\d{4}$/.test(zone) ? zone : `${zone}:00`;
  const colon = /^[+-]\d{4}$/.test(offset) ? `${offset.slice(0, 3)}:${offset.slice(3)}` : offset;
  const seconds = new Date(`${year}-${day}T${time}${colon}`);
  return Number.isNaN(seconds.getTime()) ? text : spell(seconds, fraction);
}

/** The instant `ms` milliseconds before, in the spelling of `canonicalInstant`. */
export function before(instant: string, ms: number): string {
  const shifted = new Date(Date.parse(canonicalInstant(instant)) - ms);
  return spell(shifted, String(shifted.getUTCMilliseconds()).padStart(3, '0'));
}

/**
 * How far a later read reaches back behind its watermark: the watermark is Bitbucket's own Date header, in whole
 * seconds and from whichever of its servers answered, whose clocks and replicas may differ.
 */
export const OVERLAP_MS = 5 * 60_000;
