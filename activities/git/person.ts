export interface Person {
  name: string;
  email: string;
  /** ISO time; null where the object has none that a calendar of the years 1970 to 9999 can show */
  at: string | null;
  /** the zone as written, e.g. `+0530`; where the date cannot be read, all that stands in its place */
  zone: string;
}

const LESS = 60;
const GREATER = 62;
/** 9999-12-31T23:59:59Z */
const LAST_SECOND = 253_402_300_799;

/**
 * Reads `Name <email> seconds zone` where git would find each part: the e-mail between the first `<` and the
 * next `>`, the date after the last `>`, so that names and addresses with odd characters come out as `git
 * log` shows them.
 */
export function readPerson(line: Buffer, decode: (bytes: Buffer) => string): Person {
  const open = line.indexOf(LESS);
  const close = open === -1 ? -1 : line.indexOf(GREATER, open);
  if (close === -1) return { name: decode(line).trim(), email: '', at: null, zone: '' };
  const date = line
    .subarray(line.lastIndexOf(GREATER) + 1)
    .toString('latin1')
    .trim();
  return {
    name: decode(line.subarray(0, open)).trimEnd(),
    email: decode(line.subarray(open + 1, close)),
    ...readDate(date),
  };
}

function readDate(date: string): Pick<Person, 'at' | 'zone'> {
  const [, digits, zone] = /^(\d+)\s*(.*)$/s.exec(date) ?? [];
  if (digits === undefined || zone === undefined) return { at: null, zone: date };
  const seconds = Number(digits);
  if (seconds > LAST_SECOND) return { at: null, zone };
  return { at: new Date(seconds * 1000).toISOString().replace('.000Z', 'Z'), zone };
}
