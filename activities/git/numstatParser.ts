import { escapeBytes } from '../../db/text.ts';
import { MOST_FILES_OF_COMMIT, TooLarge } from './tooLarge.ts';

export interface FileChange {
  /** as `db/text.ts` escapes bytes */
  path: string;
  /** where it was before a rename or copy */
  oldPath: string | null;
  /** null for a binary file */
  linesAdded: number | null;
  linesRemoved: number | null;
}

export interface CommitChanges {
  hash: string;
  files: FileChange[];
}

export interface NumstatParser {
  /** Takes the next bytes, cut anywhere; gives the commits that are complete by them. */
  push(chunk: Uint8Array): CommitChanges[];
  /** The last commit. Throws when the stream ended inside an entry. */
  end(): CommitChanges[];
}

const TAB = 9;
const NEWLINE = 10;

/**
 * Reads `git log -z --numstat --format=%H`, which is unambiguous for every byte a path can have: everything
 * is ended by NUL, which no path holds. A token is a hash; or `added TAB removed TAB path` (the first one of
 * a commit after a newline); or the same with an empty path, after which the next two tokens are the old and
 * the new path of a rename. `-` counts stand for a binary file.
 */
export function createNumstatParser(): NumstatParser {
  let rest: Uint8Array = new Uint8Array();
  let current: CommitChanges | undefined;
  /** a rename whose paths are still to come */
  let renamed: { counts: Pick<FileChange, 'linesAdded' | 'linesRemoved'>; oldPath?: string } | undefined;

  function take(token: Uint8Array, complete: CommitChanges[]): void {
    if (renamed !== undefined) {
      if (renamed.oldPath === undefined) renamed.oldPath = escapeBytes(token);
      else {
        const path = escapeBytes(token);
        currentFiles().push({ path, oldPath: renamed.oldPath, ...renamed.counts });
        renamed = undefined;
      }
      return;
    }
    const body = token[0] === NEWLINE ? token.subarray(1) : token;
    const firstTab = body.indexOf(TAB);
    if (firstTab === -1) {
      if (current !== undefined) complete.push(current);
      current = { hash: readHash(body), files: [] };
      return;
    }
    const secondTab = body.indexOf(TAB, firstTab + 1);
    if (secondTab === -1) throw new SyntaxError('A numstat entry without its second tab.');
    const counts = {
      linesAdded: readCount(body.subarray(0, firstTab)),
      linesRemoved: readCount(body.subarray(firstTab + 1, secondTab)),
    };
    if (secondTab === body.length - 1) renamed = { counts };
    else currentFiles().push({ path: escapeBytes(body.subarray(secondTab + 1)), oldPath: null, ...counts });
  }

  function currentFiles(): FileChange[] {
    if (current === undefined) throw new SyntaxError('A numstat entry before the first commit.');
    if (current.files.length >= MOST_FILES_OF_COMMIT)
      throw new TooLarge(
        `The commit ${current.hash} changes more than ${String(MOST_FILES_OF_COMMIT)} files`,
      );
    return current.files;
  }

  return {
    push(chunk) {
      const complete: CommitChanges[] = [];
      const all = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      let from = 0;
      for (let to = all.indexOf(0); to !== -1; to = all.indexOf(0, from)) {
        take(all.subarray(from, to), complete);
        from = to + 1;
      }
      rest = all.subarray(from);
      return complete;
    },
    end() {
      if (rest.length > 0 || renamed !== undefined)
        throw new SyntaxError('The numstat stream ended inside an entry.');
      return current === undefined ? [] : [current];
    },
  };
}

function readHash(token: Uint8Array): string {
  const hash = Buffer.from(token).toString('latin1');
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash))
    throw new SyntaxError('Neither a hash nor a numstat entry.');
  return hash;
}

function readCount(token: Uint8Array): number | null {
  const text = Buffer.from(token).toString('latin1');
  if (text === '-') return null;
  if (!/^\d+$/.test(text)) throw new SyntaxError('A numstat count that is no number.');
  return Number(text);
}
