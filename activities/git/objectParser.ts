import { MOST_OBJECT_BYTES, TooLarge } from './tooLarge.ts';

export interface GitObject {
  hash: string;
  type: string;
  bytes: Buffer;
}

export interface ObjectParser {
  /** Takes the next bytes, cut anywhere; gives the objects that are complete by them. */
  push(chunk: Uint8Array): GitObject[];
  /** Throws when the stream ended inside an object. */
  end(): void;
}

/** An object that was asked for is not in the repository: the clone is damaged or older than the list. */
export class ObjectMissing extends Error {
  override readonly name = 'ObjectMissing';
}

const NEWLINE = 10;

/**
 * Reads `git cat-file --batch`: `hash SP type SP size LF`, then so many bytes, then LF. The length comes
 * first, so every byte is allowed in the content, and a large object is copied once. Throws ObjectMissing, and TooLarge
 * before an object is held.
 */
export function createObjectParser(): ObjectParser {
  let header = '';
  let open: { object: GitObject; filled: number } | undefined;

  function begin(line: string): void {
    const [hash, type, size] = line.split(' ');
    if (hash === undefined || type === undefined || size === undefined) {
      throw new ObjectMissing(`git has no object "${line}".`);
    }
    if (Number(size) > MOST_OBJECT_BYTES) throw new TooLarge(`The ${type} ${hash} has ${size} bytes`);
    // one byte more: the newline behind the content
    open = { object: { hash, type, bytes: Buffer.allocUnsafe(Number(size) + 1) }, filled: 0 };
  }

  return {
    push(chunk) {
      const complete: GitObject[] = [];
      const piece = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      for (let at = 0; at < piece.length; ) {
        if (open === undefined) {
          const end = piece.indexOf(NEWLINE, at);
          header += piece.toString('latin1', at, end === -1 ? piece.length : end);
          if (end === -1) break;
          begin(header);
          header = '';
          at = end + 1;
          continue;
        }
        const { object } = open;
        const copied = piece.copy(object.bytes, open.filled, at);
        open.filled += copied;
        at += copied;
        if (open.filled === object.bytes.length) {
          complete.push({ ...object, bytes: object.bytes.subarray(0, -1) });
          open = undefined;
        }
      }
      return complete;
    },
    end() {
      if (open !== undefined || header !== '') throw new SyntaxError('git cat-file ended inside an object.');
    },
  };
}
