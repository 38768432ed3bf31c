import { describe, expect, test } from 'vitest';
import { readCommitObject } from '../../../activities/git/commitObject.ts';

const TREE = `tree ${'1'.repeat(40)}\n`;
const ANN = 'author Ann <ann@x.org> 1600000000 +0530\n';
const BOB = 'committer Bob <bob@x.org> 1600000060 -0800\n';

const bytes = (...pieces: (string | Uint8Array)[]) =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
const read = (...pieces: (string | Uint8Array)[]) => readCommitObject('h', bytes(...pieces));

test('reads parents, people, times with their zones, and the message to the byte', () => {
  const parents = `parent ${'2'.repeat(40)}\nparent ${'3'.repeat(40)}\n`;
  expect(
    read(TREE, parents, ANN, BOB, 'gpgsig -----BEGIN\n parent fake\n -----END\n\n', ' \nSubject\n\nBody\n\n'),
  ).toEqual({
    hash: 'h',
    parentHashes: ['2'.repeat(40), '3'.repeat(40)],
    author: { name: 'Ann', email: 'ann@x.org', at: '2020-09-13T12:26:40Z', zone: '+0530' },
    committer: { name: 'Bob', email: 'bob@x.org', at: '2020-09-13T12:27:40Z', zone: '-0800' },
    message: ' \nSubject\n\nBody\n\n',
    rawBytes: null,
  });
});

describe('text', () => {
  test('is recoded from the encoding that the commit names, and the bytes are kept', () => {
    const latin1 = Buffer.from('author Zoë <z@x.org> 1 +0000\n', 'latin1');
    const object = bytes(TREE, latin1, BOB, 'encoding ISO-8859-1\n\n', Uint8Array.of(0xe9, 0x85, 10));
    const commit = readCommitObject('h', object);
    expect(commit.author.name).toBe('Zoë');
    expect(commit.message).toBe('é\u0085\n');
    expect(commit.rawBytes).toEqual(object);
  });

  test.each([
    ['EUC-JP', Uint8Array.of(0xc6, 0xfc, 0xcb, 0xdc), '日本'],
    ['CP1252', Uint8Array.of(0x80), '€'],
    ['KOI8-R', Uint8Array.of(0xcd, 0xc9, 0xd2), 'мир'],
    ['ISO-2022-JP', bytes('\u001b$B', Uint8Array.of(0x46, 0x7c), '\u001b(B'), '日'],
  ])('of encoding %s', (encoding, message, text) => {
    expect(read(TREE, ANN, BOB, `encoding ${encoding}\n\n`, message).message).toBe(text);
  });

  test('that is no UTF-8 shows U+FFFD, and the bytes are kept', () => {
    const commit = read(TREE, ANN, BOB, '\n', 'a', Uint8Array.of(0xff, 0xc3), 'b');
    expect(commit.message).toBe('a\ufffd\ufffdb');
    expect(commit.rawBytes).not.toBeNull();
  });

  test('of an encoding that nobody knows is read as UTF-8', () => {
    expect(read(TREE, ANN, BOB, 'encoding klingon\n\n', 'é').message).toBe('é');
  });

  test('keeps NUL and a byte order mark', () => {
    expect(read(TREE, ANN, BOB, '\n', '\ufeffa\0b').message).toBe('\ufeffa\0b');
  });
});

describe('people', () => {
  const author = (line: string) => read(TREE, `author ${line}\n`, BOB, '\n').author;

  test.each([
    ['<a@x.org> 0 +0000', { name: '', email: 'a@x.org', at: '1970-01-01T00:00:00Z', zone: '+0000' }],
    ['A < B <b> 5 +0000', { name: 'A', email: ' B <b', at: '1970-01-01T00:00:05Z', zone: '+0000' }],
    ['A <a>b> 5 +0000', { name: 'A', email: 'a', at: '1970-01-01T00:00:05Z', zone: '+0000' }],
    ['A <> 253402300799 +0000', { name: 'A', email: '', at: '9999-12-31T23:59:59Z', zone: '+0000' }],
    ['A <> 253402300800 +0000', { name: 'A', email: '', at: null, zone: '+0000' }],
    ['A <> 99999999999999999999999 -0100', { name: 'A', email: '', at: null, zone: '-0100' }],
    ['A <> -5 +0000', { name: 'A', email: '', at: null, zone: '-5 +0000' }],
    ['A <> 5 +051800', { name: 'A', email: '', at: '1970-01-01T00:00:05Z', zone: '+051800' }],
    ['A <> 5 --700', { name: 'A', email: '', at: '1970-01-01T00:00:05Z', zone: '--700' }],
    ['A <> Tue May 1 2001', { name: 'A', email: '', at: null, zone: 'Tue May 1 2001' }],
    ['A <>', { name: 'A', email: '', at: null, zone: '' }],
    ['nobody', { name: 'nobody', email: '', at: null, zone: '' }],
  ])('of %s', (line, person) => {
    expect(author(line)).toEqual(person);
  });

  test('may be absent', () => {
    const nobody = { name: '', email: '', at: null, zone: '' };
    expect(read(TREE, '\nmessage')).toMatchObject({ author: nobody, committer: nobody, message: 'message' });
    expect(read('')).toMatchObject({ parentHashes: [], message: '' });
  });
});
