import { isAscii } from 'node:buffer';

/**
 * WHATWG's "iso-8859-1" is windows-1252; git (iconv) means the real one, where byte and code point are the
 * same.
 */
const LATIN1 = /^(?:iso[-_]?8859-?1|latin-?1|l1)$/i;
const WINDOWS_1252 = /^(?:cp|windows|win)-?1252$/i;
/** Encodings whose bytes are all ASCII although the text is not. */
const SEVEN_BIT = /2022|utf-?7/i;

/** What windows-1252 has at 0x80 to 0x9f. Spelled out since Node 20's TextDecoder takes it for Latin-1. */
const WINDOWS_1252_UPPER =
  '\u20ac\u0081\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u008d\u017d\u008f' +
  '\u0090\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u009d\u017e\u0178';

/**
 * Bytes of a commit or tag as text. `encoding` is what its header names, absent: UTF-8. Bytes that do not fit
 * become U+FFFD (the caller keeps the bytes); an encoding nobody knows is read as UTF-8.
 */
export function decodeText(bytes: Buffer, encoding: string | undefined): string {
  if (encoding === undefined || (isAscii(bytes) && !SEVEN_BIT.test(encoding))) return bytes.toString('utf8');
  if (LATIN1.test(encoding)) return bytes.toString('latin1');
  if (WINDOWS_1252.test(encoding)) return decodeWindows1252(bytes);
  try {
    return new TextDecoder(encoding, { ignoreBOM: true }).decode(bytes);
  } catch {
    // RangeError: WHATWG knows no encoding of that name
    return bytes.toString('utf8');
  }
}

const decodeWindows1252 = (bytes: Buffer): string =>
  bytes
    .toString('latin1')
    .replace(/[\u0080-\u009f]/g, (unit) => WINDOWS_1252_UPPER[unit.charCodeAt(0) - 0x80] ?? unit);
