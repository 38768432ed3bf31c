import { isUtf8 } from 'node:buffer';
import { decodeText } from './textEncoding.ts';
import { readPerson, type Person } from './person.ts';

export interface CommitObject {
  hash: string;
  parentHashes: string[];
  author: Person;
  committer: Person;
  message: string;
  /** the whole object, where its text is more than its bytes read as UTF-8 */
  rawBytes: Buffer | null;
}

const NEWLINE = 10;
const SPACE = 32;

/**
 * Reads a commit object as git stores it: header lines, an empty line, the message. Nothing about it is taken
 * for granted: old tools wrote commits without author, with broken dates, with any byte in the message. Text
 * is recoded from the encoding that the header names (git's default is UTF-8).
 */
export function readCommitObject(hash: string, bytes: Buffer): CommitObject {
  const { headers, message } = splitObject(bytes);
  const encoding = headers.find(([key]) => key === 'encoding')?.[1].toString('latin1');
  const header = (key: string) => headers.find(([name]) => name === key)?.[1] ?? Buffer.alloc(0);
  const read = (part: Buffer) => decodeText(part, encoding);
  const recoded = encoding !== undefined && read(bytes) !== bytes.toString('utf8');
  return {
    hash,
    parentHashes: headers.filter(([key]) => key === 'parent').map(([, value]) => value.toString('latin1')),
    author: readPerson(header('author'), read),
    committer: readPerson(header('committer'), read),
    message: read(message),
    rawBytes: recoded || !isUtf8(bytes) ? bytes : null,
  };
}

/** Header lines by key (a continued line belongs to the one before) and what follows the empty line. */
export function splitObject(bytes: Buffer): { headers: [string, Buffer][]; message: Buffer } {
  const headers: [string, Buffer][] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = lineEnd(bytes, at);
    if (end === at) return { headers, message: bytes.subarray(end + 1) };
    // a continued line (signatures have them) starts with a space; none that we read is continued
    if (bytes[at] !== SPACE) {
      const line = bytes.subarray(at, end);
      const space = line.indexOf(SPACE);
      if (space !== -1) headers.push([line.toString('latin1', 0, space), line.subarray(space + 1)]);
    }
    at = end + 1;
  }
  return { headers, message: Buffer.alloc(0) };
}

function lineEnd(bytes: Buffer, from: number): number {
  const end = bytes.indexOf(NEWLINE, from);
  return end === -1 ? bytes.length : end;
}
