import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { exitOf, type GitProcesses } from './gitProcess.ts';

export type Bytes = string | Buffer;

export type FileChange =
  | { kind: 'write'; path: Bytes; mode?: '100644' | '100755' | '120000'; data: Bytes }
  /** Puts an existing object there: a blob, or a commit of elsewhere with mode `160000`. */
  | { kind: 'place'; path: Bytes; mode: string; hash: string }
  | { kind: 'delete'; path: Bytes };

export interface WhoAndWhen {
  name: Bytes;
  email: Bytes;
  seconds: number;
  zone: string;
}

export interface ImportedCommit {
  ref: string;
  author: WhoAndWhen;
  committer: WhoAndWhen;
  message: Bytes;
  /** Name of a character encoding for the `encoding` header. */
  encoding?: string;
  /** First parent: a mark or a hash. Left out, the ref's own tip; null makes a root commit. */
  from?: number | string | null;
  merges?: (number | string)[];
  changes: FileChange[];
}

/** One `git fast-import` stream: commits are told by marks (1, 2, …) until the end gives their hashes. */
export interface FastImport {
  /** Returns the commit's mark. */
  commit(commit: ImportedCommit): number;
  tag(name: string, target: number | string, tagger: WhoAndWhen, message: Bytes): void;
  /** Points a ref (full name) at a commit. */
  reset(ref: string, target: number | string): void;
  /** Resolves when the stream can take more; wait for it every few commits. */
  ready(): Promise<void>;
  /** Ends the stream; `hashes[mark]` is the commit of a mark. */
  finish(): Promise<string[]>;
}

const FLUSH_BYTES = 256 * 1024;

export async function createFastImport(processes: GitProcesses, repository: string): Promise<FastImport> {
  const marksPath = join(repository, 'import-marks');
  const args = ['--git-dir', repository, 'fast-import', '--quiet', '--force', '--active-branches=32'];
  const child = await processes.start([...args, '--date-format=raw', `--export-marks=${marksPath}`]);
  const ended = exitOf(child, ['fast-import']);
  // Awaited in finish(); a failure before that must not count as unhandled.
  ended.catch(() => {});
  child.stdout.resume();
  let pending: Bytes[] = [];
  let pendingBytes = 0;
  let mark = 0;

  function put(bytes: Bytes): void {
    const last = pending.length - 1;
    const before = pending[last];
    if (typeof bytes === 'string' && typeof before === 'string') pending[last] = before + bytes;
    else pending.push(bytes);
    pendingBytes += bytes.length;
  }

  function flush(): boolean {
    const chunk = Buffer.concat(pending.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
    pending = [];
    pendingBytes = 0;
    return child.stdin.write(chunk);
  }

  function data(bytes: Bytes): void {
    put(`data ${typeof bytes === 'string' ? Buffer.byteLength(bytes) : bytes.length}\n`);
    put(bytes);
    put('\n');
  }

  function who(role: string, person: WhoAndWhen): void {
    put(`${role} `);
    put(person.name);
    put(person.name.length > 0 ? ' <' : '<');
    put(person.email);
    put(`> ${person.seconds} ${person.zone}\n`);
  }

  function change(file: FileChange): void {
    const path = quotePath(file.path);
    if (file.kind === 'delete') return put(`D ${path}\n`);
    if (file.kind === 'place') return put(`M ${file.mode} ${file.hash} ${path}\n`);
    put(`M ${file.mode ?? '100644'} inline ${path}\n`);
    data(file.data);
  }

  function commit(made: ImportedCommit): number {
    mark += 1;
    if (made.from === null) put(`reset ${made.ref}\n\n`);
    put(`commit ${made.ref}\nmark :${mark}\n`);
    who('author', made.author);
    who('committer', made.committer);
    if (made.encoding !== undefined) put(`encoding ${made.encoding}\n`);
    data(made.message);
    if (made.from !== undefined && made.from !== null) put(`from ${target(made.from)}\n`);
    for (const parent of made.merges ?? []) put(`merge ${target(parent)}\n`);
    for (const file of made.changes) change(file);
    put('\n');
    return mark;
  }

  return {
    commit,
    tag(name, of, tagger, message) {
      put(`tag ${name}\nfrom ${target(of)}\n`);
      who('tagger', tagger);
      data(message);
    },
    reset: (ref, to) => put(`reset ${ref}\nfrom ${target(to)}\n\n`),
    async ready() {
      if (pendingBytes < FLUSH_BYTES || flush()) return;
      await Promise.race([new Promise((resolve) => child.stdin.once('drain', resolve)), ended]);
    },
    async finish() {
      flush();
      child.stdin.end();
      await ended;
      const hashes: string[] = [];
      for (const line of (await readFile(marksPath, 'latin1')).split('\n')) {
        const [name, hash] = line.split(' ');
        if (name && hash) hashes[Number(name.slice(1))] = hash;
      }
      await rm(marksPath);
      return hashes;
    },
  };
}

function target(commit: number | string): string {
  return typeof commit === 'number' ? `:${commit}` : commit;
}

/** Plain where the stream's grammar allows it, else in C style with octal escapes. */
function quotePath(path: Bytes): string {
  if (typeof path === 'string' && /^[\w./-]+$/.test(path)) return path;
  let quoted = '"';
  for (const byte of Buffer.from(path)) {
    const plain = byte > 32 && byte < 127 && byte !== 34 && byte !== 92;
    quoted += plain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `${quoted}"`;
}
