import type { GitProcesses } from './gitProcess.ts';
import type { ObjectReader } from './objectReader.ts';
import { decodeLossy, parseObject, toSignature } from './objectText.ts';
import type { RefRecord } from './store.ts';

/**
 * Branches, then tags, each in order of bytes. Tags that lead to no commit (git allows a tag of a file) are
 * left out: Bitbucket's tag has a commit as its target.
 */
export async function readRefs(
  processes: GitProcesses,
  reader: ObjectReader,
  path: string,
): Promise<RefRecord[]> {
  const format = '--format=%(objectname) %(objecttype) %(refname)';
  const listed = await processes.run([
    '--git-dir',
    path,
    'for-each-ref',
    format,
    'refs/heads/',
    'refs/tags/',
  ]);
  const records = await Promise.all(
    listed
      .toString('utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [hash = '', type = '', ...name] = line.split(' ');
        return readRef(reader, hash, type, name.join(' '));
      }),
  );
  return records.filter((record) => record !== null);
}

async function readRef(
  reader: ObjectReader,
  hash: string,
  type: string,
  ref: string,
): Promise<RefRecord | null> {
  const plain = { annotated: false, message: null, tagger: null, date: null };
  if (type === 'commit') {
    if (ref.startsWith('refs/heads/')) return { kind: 'branch', name: ref.slice(11), target: hash, ...plain };
    return { kind: 'tag', name: ref.slice(10), target: hash, ...plain };
  }
  if (type !== 'tag') return null;
  const [object, target] = await Promise.all([reader.read(hash), reader.read(`${hash}^{commit}`)]);
  if (!object || !target) return null;
  const { message, tagger: rawTagger } = parseObject(object.data);
  const tagger = rawTagger ? toSignature(rawTagger, null) : null;
  return {
    kind: 'tag',
    name: ref.slice(10),
    target: target.hash,
    annotated: true,
    message: decodeLossy(message),
    tagger,
    date: tagger?.date ?? null,
  };
}
