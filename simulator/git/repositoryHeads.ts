import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { GitProcesses } from './gitProcess.ts';
import { createObjectReader } from './objectReader.ts';
import { isoDate } from './objectText.ts';
import { readRefs } from './refs.ts';
import type { RefRecord, RepositoryHeads } from './store.ts';

/** Branches, tags and extent of a bare repository; its main branch is the one `HEAD` names. */
export async function describeHeads(processes: GitProcesses, path: string): Promise<RepositoryHeads> {
  const lines = async (...args: string[]) =>
    (await processes.run(['--git-dir', path, ...args])).toString('utf8').trim().split('\n');
  const reader = createObjectReader(processes, path);
  const refs = await readRefs(processes, reader, path);
  reader.close();
  const named = (kind: RefRecord['kind']) =>
    refs.filter((ref) => ref.kind === kind).map(({ name, target }) => ({ name, target }));
  const branches = named('branch');
  const [head = ''] = await lines('symbolic-ref', '--short', 'HEAD');
  const heads = {
    mainBranch: branches.some(({ name }) => name === head) ? head : null,
    branches,
    tags: named('tag'),
    sizeBytes: await objectBytes(join(path, 'objects')),
  };
  if (refs.length === 0) return { ...heads, firstCommitDate: null, lastCommitDate: null };
  let first = Number.POSITIVE_INFINITY;
  let last = 0;
  for (const line of await lines('log', '--format=%ct', '--branches', '--tags')) {
    first = Math.min(first, Number(line));
    last = Math.max(last, Number(line));
  }
  return { ...heads, firstCommitDate: isoDate(first), lastCommitDate: isoDate(last) };
}

async function objectBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.path, entry.name))).size;
  }
  return bytes;
}
