import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  escapeBytes,
  escapeJson,
  escapesNothing,
  escapeText,
  unescapeJson,
  unescapeText,
  unescapeToBytes,
} from '../../../db/text.ts';

/** What Postgres refuses in text and jsonb: NUL, and surrogates without a partner. */
const refused = (text: string) => text.includes('\0') || Buffer.from(text).toString() !== text;

const anyUnits = fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units));
const awkward = fc
  .array(fc.constantFrom('\0', '\u001a', '\ud83d', '\ude00', '\u001a0000', 'b', 'é', 'x'))
  .map((p) => p.join(''));

describe('text that Postgres refuses', () => {
  test('any string of UTF-16 units becomes storable and comes back unchanged', () => {
    fc.assert(
      fc.property(fc.oneof(anyUnits, awkward), (text) => {
        expect(refused(escapeText(text))).toBe(false);
        expect(unescapeText(escapeText(text))).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });

  test('ordinary text is stored as it is', () => {
    expect(escapeText('Übung 😀 \n\t مرحبا')).toBe('Übung 😀 \n\t مرحبا');
  });

  test('strings and keys deep in a JSON value are escaped and come back', () => {
    const value = { 'a\0': ['\ud800', { b: '\u001a' }, 1, null, true] };
    expect(JSON.stringify(escapeJson(value))).not.toMatch(/\\u0000|\\ud800/);
    expect(unescapeJson(escapeJson(value))).toEqual(value);
  });

  test('a JSON text that is said to need no escape has none', () => {
    const anyJson = fc.jsonValue({ stringUnit: 'binary' });
    const units = fc.dictionary(fc.oneof(anyUnits, awkward), fc.oneof(anyUnits, awkward), { maxKeys: 3 });
    let plain = 0;
    fc.assert(
      fc.property(fc.oneof(anyJson, units), (value) => {
        if (!escapesNothing(JSON.stringify(value))) return;
        plain += 1;
        expect(escapeJson(value)).toEqual(value);
      }),
      { numRuns: 500 },
    );
    expect(plain).toBeGreaterThan(100);
    expect(escapesNothing(String.raw`{"a\u0000":1}`)).toBe(false);
    expect(escapesNothing(String.raw`["\uD83D"]`)).toBe(false);
    expect(escapesNothing('["Übung 😀"]')).toBe(true);
  });
});

describe('bytes that are no UTF-8', () => {
  test('any bytes become storable text and come back byte for byte', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const text = escapeBytes(bytes);
        expect(refused(text)).toBe(false);
        expect(Buffer.from(unescapeToBytes(text)).equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });

  test('overlong forms and encoded surrogates count as invalid bytes', () => {
    expect(escapeBytes(Uint8Array.of(0xc0, 0xaf))).toBe('\u001abc0\u001abaf');
    expect(escapeBytes(Uint8Array.of(0xed, 0xa0, 0x80))).toBe('\u001abed\u001aba0\u001ab80');
  });
});
