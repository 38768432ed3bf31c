import { LRUCache } from 'lru-cache';
import { diffPairs, type FileDiff } from './diffPairs.ts';
import type { GitProcesses } from './gitProcess.ts';
import { createObjectReader, type GitObject } from './objectReader.ts';
import { decodeStrict, isoDate, parseObject, type RawSignature } from './objectText.ts';
import type { GitTruth, TruthSignature } from './gitTruth.ts';
import type { RefRecord } from './store.ts';

const OBJECTS_AHEAD = 256;
const LONGEST_KEPT = 10_000;

/**
 * What is reached from which commits. Hashes name all that they reach, so it is the same in every repository of every
 * store of this process. Of long histories nothing is kept.
 */
const reached = new LRUCache<string, GitTruth[]>({
  maxSize: 10 * LONGEST_KEPT,
  sizeCalculation: (lines) => lines.length,
});

/**
 * Everything an import must have stored of a repository: branches, tags, and every commit they reach with its
 * files. Each commit is read as an object and compared with its first parent by plumbing (`diff-tree` on
 * explicit pairs), so that it shares neither code nor technique with a parser of `git log`.
 */
export async function* truthOf(
  processes: GitProcesses,
  path: string,
  refs: RefRecord[],
  shallow: ReadonlySet<string>,
): AsyncGenerator<GitTruth> {
  for (const { kind, name, target, annotated, message, tagger, date } of refs) {
    if (kind === 'branch') yield { kind, name, target };
    else {
      const who = tagger && `${tagger.name} <${tagger.email}>`;
      yield { kind, name, target, annotated, message, tagger: who, date };
    }
  }
  if (refs.length === 0) return;
  const tips = [...new Set(refs.map(({ target }) => target))].toSorted();
  const key = JSON.stringify([tips, [...shallow].toSorted()]);
  const known = reached.get(key);
  if (known !== undefined) return yield* known;
  const lines: GitTruth[] = [];
  for await (const line of reachedFrom(processes, path, tips, shallow)) {
    if (lines.length <= LONGEST_KEPT) lines.push(line);
    yield line;
  }
  if (lines.length <= LONGEST_KEPT) reached.set(key, lines);
}

async function* reachedFrom(
  processes: GitProcesses,
  path: string,
  tips: string[],
  shallow: ReadonlySet<string>,
): AsyncGenerator<GitTruth> {
  const listed = await processes.run(
    ['--git-dir', path, 'rev-list', '--parents', '--stdin'],
    tips.map((tip) => `${tip}\n`).join(''),
  );
  const pairs = listed.toString('latin1').trim().split('\n').map(firstPair);
  const reader = createObjectReader(processes, path);
  const ahead: Promise<GitObject | undefined>[] = [];
  let asked = 0;
  try {
    for await (const { commit, files } of diffPairs(processes, path, pairs)) {
      for (; asked < pairs.length && ahead.length < OBJECTS_AHEAD; asked += 1) {
        ahead.push(reader.read((pairs[asked] ?? '').slice(0, 40)));
      }
      const object = await ahead.shift();
      if (object?.hash !== commit) throw new Error(`Commit ${commit} is out of step with its object`);
      yield commitTruth(object, files, shallow.has(commit));
      for (const file of files) yield fileTruth(commit, file);
    }
    if (ahead.length > 0 || asked < pairs.length) throw new Error('git diff-tree left commits out');
  } finally {
    await Promise.allSettled(ahead);
    reader.close();
  }
}

/** Of `commit parent parent …` the commit and its first parent. */
function firstPair(line: string): string {
  return line.split(' ', 2).join(' ');
}

function commitTruth(object: GitObject, files: FileDiff[], atShallowEdge: boolean): GitTruth {
  const { parents, author, committer, encoding, message } = parseObject(object.data);
  return {
    kind: 'commit',
    hash: object.hash,
    parents: atShallowEdge ? [] : parents,
    author: signatureTruth(author, encoding),
    committer: signatureTruth(committer, encoding),
    encoding,
    message: decodeStrict(message, encoding),
    message_base64: message.toString('base64'),
    lines_added: files.reduce((sum, file) => sum + (file.linesAdded ?? 0), 0),
    lines_removed: files.reduce((sum, file) => sum + (file.linesRemoved ?? 0), 0),
    files_changed: files.length,
  };
}

function signatureTruth(raw: RawSignature, encoding: string | null): TruthSignature {
  return {
    name: decodeStrict(raw.name, encoding),
    name_base64: raw.name.toString('base64'),
    email: decodeStrict(raw.email, encoding),
    email_base64: raw.email.toString('base64'),
    date: isoDate(raw.seconds),
    seconds: raw.seconds,
    zone: raw.zone,
  };
}

type FileStatus = Extract<GitTruth, { kind: 'commit_file' }>['status'];

const STATUS: Record<string, FileStatus> = {
  A: 'added',
  D: 'removed',
  M: 'modified',
  R: 'renamed',
  T: 'type_changed',
};

function fileTruth(commit: string, file: FileDiff): GitTruth {
  const status = STATUS[file.status];
  if (!status) throw new Error(`git diff-tree gave an unknown status ${file.status}`);
  return {
    kind: 'commit_file',
    commit,
    path: decodeStrict(file.path, null),
    path_base64: file.path.toString('base64'),
    old_path: file.oldPath && decodeStrict(file.oldPath, null),
    old_path_base64: file.oldPath?.toString('base64') ?? null,
    status,
    lines_added: file.linesAdded,
    lines_removed: file.linesRemoved,
    binary: file.linesAdded === null,
  };
}
