import { expect, test } from 'vitest';
import { createObjectParser, ObjectMissing } from '../../../activities/git/objectParser.ts';
import { MOST_OBJECT_BYTES, TooLarge } from '../../../activities/git/tooLarge.ts';

const hash = (digit: string) => digit.repeat(40);
const content = Buffer.from([0, 10, 32, 255, 10, 10]);
const stream = Buffer.concat([
  Buffer.from(`${hash('a')} commit ${content.length}\n`),
  content,
  Buffer.from(`\n${hash('b')} tag 0\n\n${hash('c')} commit 3\nabc\n`),
]);

function parse(chunks: readonly Uint8Array[]) {
  const parser = createObjectParser();
  const objects = chunks.flatMap((chunk) => parser.push(chunk));
  parser.end();
  return objects.map(({ hash: name, type, bytes }) => [name[0], type, bytes.toString('hex')]);
}

test('reads objects of any bytes, wherever the stream is cut', () => {
  const expected = [
    ['a', 'commit', content.toString('hex')],
    ['b', 'tag', ''],
    ['c', 'commit', Buffer.from('abc').toString('hex')],
  ];
  for (let cut = 0; cut <= stream.length; cut += 1) {
    expect(parse([stream.subarray(0, cut), stream.subarray(cut)])).toEqual(expected);
  }
  expect(parse([...stream].map((byte) => Uint8Array.of(byte)))).toEqual(expected);
});

test('a missing object and a stream that is cut off are errors', () => {
  expect(() => parse([Buffer.from(`${hash('a')} missing\n`)])).toThrow(ObjectMissing);
  expect(() => parse([stream.subarray(0, -2)])).toThrow(SyntaxError);
});

test('an object that no worker could hold is refused by its header, before it is held', () => {
  const parser = createObjectParser();
  const header = (bytes: number) => Buffer.from(`${hash('a')} commit ${String(bytes)}\n`);
  expect(() => parser.push(header(MOST_OBJECT_BYTES + 1))).toThrow(TooLarge);
  expect(createObjectParser().push(header(MOST_OBJECT_BYTES))).toEqual([]);
});
