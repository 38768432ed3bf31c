import { describe, expect, test } from 'vitest';
import { type CommitChanges, createNumstatParser } from '../../../activities/git/numstatParser.ts';
import { MOST_FILES_OF_COMMIT, TooLarge } from '../../../activities/git/tooLarge.ts';

const hash = (digit: string) => digit.repeat(40);

/** What git writes: NUL after each hash, a newline before a commit's first file. */
const stream = Buffer.concat(
  [
    `${hash('a')}\0`,
    `\n2\t0\ta\tb\nc\0`,
    `-\t-\tbin\0`,
    `0\t1\t\0old name\0new\tname\0`,
    `${hash('b')}\0`,
    `${hash('c')}\0`,
    Buffer.from([10, 49, 9, 49, 9, 0x66, 0xff, 0x1a, 0]),
    `3\t4\t\0\n\0${'d'.repeat(40)}\0`,
  ].map((piece) => Buffer.from(piece as string)),
);

const expected: CommitChanges[] = [
  {
    hash: hash('a'),
    files: [
      { path: 'a\tb\nc', oldPath: null, linesAdded: 2, linesRemoved: 0 },
      { path: 'bin', oldPath: null, linesAdded: null, linesRemoved: null },
      { path: 'new\tname', oldPath: 'old name', linesAdded: 0, linesRemoved: 1 },
    ],
  },
  { hash: hash('b'), files: [] },
  {
    hash: hash('c'),
    files: [
      { path: 'f\u001abff\u001a001a', oldPath: null, linesAdded: 1, linesRemoved: 1 },
      // a file may be called like a hash: after a rename's counts come two paths, whatever they look like
      { path: 'd'.repeat(40), oldPath: '\n', linesAdded: 3, linesRemoved: 4 },
    ],
  },
];

function parse(chunks: readonly Uint8Array[]): CommitChanges[] {
  const parser = createNumstatParser();
  return [...chunks.flatMap((chunk) => parser.push(chunk)), ...parser.end()];
}

describe('numstat', () => {
  test('reads renames, binary files, empty commits and any path', () => {
    expect(parse([stream])).toEqual(expected);
  });

  test('does not depend on where the stream is cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      expect(parse([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(expected);
    }
    expect(parse([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
  });

  test('gives a commit as soon as the next one begins', () => {
    const parser = createNumstatParser();
    const second = stream.indexOf(hash('b')) + 41;
    expect(parser.push(stream.subarray(0, second)).map((commit) => commit.hash)).toEqual([hash('a')]);
  });

  test('an empty stream has no commits', () => {
    expect(parse([])).toEqual([]);
  });

  test.each([
    ['ends inside an entry', `${hash('a')}\0\n1\t2\tfi`],
    ['ends inside a rename', `${hash('a')}\0\n1\t2\t\0old\0`],
    ['begins with a file', '1\t2\tfile\0'],
    ['has a count that is no number', `${hash('a')}\0\nx\t2\tfile\0`],
    ['has something else than a hash', 'warning: something\0'],
  ])('a stream that %s is an error', (_, text) => {
    expect(() => parse([Buffer.from(text)])).toThrow(SyntaxError);
  });
});

test('a commit of more files than a worker can hold is refused', () => {
  const parser = createNumstatParser();
  parser.push(Buffer.from(`${hash('a')}\0\n`));
  const files = Buffer.from('1\t1\tf\0'.repeat(50_000));
  for (let at = 0; at < MOST_FILES_OF_COMMIT; at += 50_000) parser.push(files);
  expect(() => parser.push(Buffer.from('1\t1\tf\0'))).toThrow(TooLarge);
});
