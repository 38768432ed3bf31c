/**
 * Bitbucket's clock has microseconds, so moments are kept as whole microseconds since the epoch.
 * They stay below 2^53 until the year 2255.
 */
export type Micros = number;

export const SECOND: Micros = 1_000_000;
export const MINUTE: Micros = 60 * SECOND;
export const HOUR: Micros = 60 * MINUTE;
export const DAY: Micros = 24 * HOUR;

/** `2026-10-07T18:39:55.551762+00:00`; without a fraction when there is none, as recorded (facts 4.4). */
export function formatMicros(micros: Micros): string {
  const seconds = Math.floor(micros / SECOND);
  const fraction = micros - seconds * SECOND;
  const head = new Date(seconds * 1000).toISOString().slice(0, 19);
  return fraction === 0 ? `${head}+00:00` : `${head}.${String(fraction).padStart(6, '0')}+00:00`;
}

const ISO = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?)?(Z|[+-]\d{2}:?\d{2})?$/;

/** Reads ISO 8601 with up to nanoseconds (cut to microseconds), UTC when it names no offset; undefined when it is none. */
export function parseMicros(text: string): Micros | undefined {
  const match = ISO.exec(text);
  if (match === null) return undefined;
  const [, day, minute = '00:00', second = '00', fraction = '', zone = 'Z'] = match;
  const offset = zone === 'Z' || zone.includes(':') ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const ms = Date.parse(`${day}T${minute}:${second}${offset}`);
  if (Number.isNaN(ms)) return undefined;
  return ms * 1000 + Number(fraction.padEnd(6, '0').slice(0, 6));
}
