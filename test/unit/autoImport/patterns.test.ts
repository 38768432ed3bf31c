import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compilePattern, faultOf } from '../../../autoImport/patterns.ts';

const isIn = (pattern: string, text: string): boolean => compilePattern(pattern).isIn(text);

test.each([
  ['legacy', 'my-legacy-tool', true],
  ['^legacy-', 'legacy-tool', true],
  ['^legacy-', 'my-legacy-tool', false],
  ['-(old|archive)$', 'shop-archive', true],
  ['Legacy', 'legacy', false],
  ['(?i)Legacy', 'legacy', true],
  [String.raw`^\p{Cyrillic}+$`, 'магазин', true],
  ['^tmp-[0-9]{3}$', 'tmp-0123', false],
])('the pattern %s in %s: %s', (pattern, text, expected) => {
  expect(isIn(pattern, text)).toBe(expected);
});

test.each([
  ['(', 'missing closing )'],
  ['a**', 'nested repetition'],
  ['[z-a]', 'class range'],
  ['a{1001}', 'repeat count'],
  [String.raw`\1`, 'escape'],
  ['(?=a)', 'Perl syntax'],
  ['(?<!a)b', 'named capture'],
  [String.raw`\p{Nobody}`, 'class range'],
  ['\\', 'trailing backslash'],
  ['((a{0,10}){0,10}){0,10}b', 'too large'],
  ['', 'in every name'],
  ['.*', 'in every name'],
  ['.', 'in every name'],
  ['x*', 'in every name'],
])('the pattern %s is refused with what is wrong and what to do: %s', (pattern, says) => {
  const fault = faultOf(pattern);
  expect(fault?.message).toContain(says);
  expect(fault?.fix).toMatch(/\.$/);
});

test.each(['^legacy-', '-old$', '^$', String.raw`\w{100,200}`, '[a-z]', 'é'])(
  'the pattern %s is taken',
  (pattern) => expect(faultOf(pattern)).toBeUndefined(),
);

/** Pattern, what repeats, and a tail that makes it fail: each takes JavaScript's own engine longer than the sun will shine. */
const PATHOLOGICAL = [
  ['(a+)+$', 'a', '!'],
  ['^(a|a)*$', 'a', '!'],
  ['(a|aa)+$', 'a', '!'],
  [String.raw`^(\w+\s?)*$`, 'word ', '!'],
  ['(.*a){20}$', 'a', '!'],
  ['(x+x+)+y', 'x', ''],
  [String.raw`^(([a-z])+.)+[A-Z]([a-z])+$`, 'a', ''],
] as const;

test.each(PATHOLOGICAL)('the time for %s grows no faster than the text', (pattern, part, tail) => {
  const compiled = compilePattern(pattern);
  const times = [2_000, 20_000].map((length) => {
    const text = part.repeat(length) + tail;
    // The fastest of some: what else the machine does is not what is measured.
    return Math.min(
      ...[1, 2, 3, 4].map(() => {
        const startedAt = performance.now();
        expect(compiled.isIn(text)).toBe(false);
        return performance.now() - startedAt;
      }),
    );
  });
  // Ten times the text: a quadratic engine takes a hundred times as long. The short one is over in less than can be measured.
  expect(times[1]!).toBeLessThan(Math.max(times[0]!, 1) * 50);
});

test('whatever is written as a pattern is either taken and can be used, or refused; nothing else is thrown', () => {
  const written = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ maxLength: 40, unit: 'binary' }),
    fc.stringMatching(/^[a-c()[\]{}|*+?.^$\\,0-9:<>=!-]{0,30}$/),
  );
  fc.assert(
    fc.property(written, fc.string({ unit: 'binary', maxLength: 60 }), (pattern, text) => {
      if (faultOf(pattern) !== undefined) return;
      expect(typeof isIn(pattern, text)).toBe('boolean');
    }),
    { numRuns: 200 },
  );
});

test('a text whose special characters are escaped is found in exactly what contains it', () => {
  const text = fc.stringMatching(/^[\w.+()-]{1,10}$/);
  fc.assert(
    fc.property(text, text, text, (wanted, before, behind) => {
      const pattern = wanted.replaceAll(/[.+()-]/g, String.raw`\$&`);
      expect(isIn(pattern, before + wanted + behind)).toBe(true);
      expect(isIn(pattern, before)).toBe(before.includes(wanted));
    }),
  );
});
