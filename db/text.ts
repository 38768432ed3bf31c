/* oxlint-disable no-control-regex -- NUL and the escape character are what this file is about */
/**
 * Text that Postgres refuses (NUL, lone surrogates) and bytes that are no UTF-8, kept reversibly.
 *
 * The escape character is U+001A (SUBSTITUTE). `U+001A` + four hex digits stands for one UTF-16 unit
 * (NUL, a lone surrogate, or U+001A itself); `U+001A` + `b` + two hex digits stands for one byte that
 * is not part of valid UTF-8.
 */
const ESCAPE = '\u001a';

// NUL, the escape itself, and surrogates without a partner.
const REFUSED = /[\u0000\u001a]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');

/** Makes any JavaScript string storable; `unescapeText` gives it back unchanged. */
export function escapeText(text: string): string {
  return text.replace(REFUSED, (unit) => ESCAPE + hex(unit.charCodeAt(0), 4));
}

/** Undoes `escapeText`. Bytes escaped by `escapeBytes` show as U+FFFD, since a string cannot hold them. */
export function unescapeText(stored: string): string {
  if (!stored.includes(ESCAPE)) return stored;
  return stored.replace(/\u001a(?:b[0-9a-f]{2}|([0-9a-f]{4}))/g, (_, unit: string | undefined) =>
    unit === undefined ? '\ufffd' : String.fromCharCode(Number.parseInt(unit, 16)),
  );
}

/** `escapeText` for every string (keys too) of a JSON value, for jsonb columns. */
export function escapeJson(value: unknown): unknown {
  if (typeof value === 'string') return escapeText(value);
  if (Array.isArray(value)) return value.map(escapeJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [escapeText(key), escapeJson(entry)]),
  );
}

// The escapes of NUL, of the escape character and of any surrogate, which a JSON text must have for one to be in it:
// control characters stand in no JSON string as they are, and a lone surrogate in no UTF-8.
const ESCAPED = /\\u(?:0000|001a|d[89a-f])/i;

/** True: `escapeJson` would leave what this JSON text says as it is. False: it may not (pairs of surrogates count too). */
export const escapesNothing = (json: string): boolean => !ESCAPED.test(json);

/** Undoes `escapeJson`. */
export function unescapeJson(value: unknown): unknown {
  if (typeof value === 'string') return unescapeText(value);
  if (Array.isArray(value)) return value.map(unescapeJson);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [unescapeText(key), unescapeJson(entry)]),
  );
}

/** Length of the valid UTF-8 sequence that starts at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i += 1) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] ?? 0;
  // overlong forms, surrogates, beyond U+10FFFF (RFC 3629 section 4)
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second > 0x9f)) return 0;
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second > 0x8f)) return 0;
  return length;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes (a path, a name) as storable text; `unescapeToBytes` gives the same bytes back. */
export function escapeBytes(bytes: Uint8Array): string {
  try {
    return escapeText(utf8.decode(bytes));
  } catch {
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const length = sequenceLength(bytes, at);
      if (length === 0) text += `${ESCAPE}b${hex(bytes[at] ?? 0, 2)}`;
      else text += escapeText(utf8.decode(bytes.subarray(at, at + length)));
      at += Math.max(1, length);
    }
    return text;
  }
}

/** Undoes `escapeBytes`. */
export function unescapeToBytes(stored: string): Uint8Array {
  const parts = stored
    .split(/(\u001a(?:b[0-9a-f]{2}|[0-9a-f]{4}))/)
    .filter((part) => part !== '')
    .map((part) => {
      if (!part.startsWith(ESCAPE)) return Buffer.from(part, 'utf8');
      if (part[1] === 'b') return Buffer.from(part.slice(2), 'hex');
      return Buffer.from(unescapeText(part), 'utf8');
    });
  return new Uint8Array(Buffer.concat(parts));
}
