import { escapeBytes } from '../../db/text.ts';
import { decodeText } from './textEncoding.ts';
import { splitObject } from './commitObject.ts';
import { readObjects } from './objects.ts';
import { readPerson } from './person.ts';
import type { Git } from './process.ts';

export interface Branch {
  /** as `db/text.ts` escapes bytes: a name need not be UTF-8 */
  name: string;
  targetHash: string;
}

export interface Tag {
  /** as `db/text.ts` escapes bytes */
  name: string;
  /** the object it leads to in the end; nearly always a commit */
  targetHash: string;
  annotated: boolean;
  message: string | null;
  taggerName: string | null;
  taggerEmail: string | null;
  taggedAt: string | null;
}

export interface Refs {
  branches: Branch[];
  tags: Tag[];
  /** the commits that all of them lead to, each once, sorted */
  heads: string[];
}

interface Ref {
  name: string;
  hash: string;
  type: string;
  /** of a tag that is an object of its own: what it points to */
  target: Target | undefined;
}

type Target = Pick<Ref, 'hash' | 'type'>;

const FORMAT = '%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)';

/** All branches and tags of a clone. An empty repository has none. */
export async function readRefs(git: Git, folder: string, signal: AbortSignal): Promise<Refs> {
  const refs = await listRefs(git, folder, signal);
  const tagObjects = refs.filter((ref) => ref.type === 'tag').map((ref) => ref.hash);
  // Older git looks one tag deep only.
  const deep = refs.filter((ref) => ref.target?.type === 'tag').map((ref) => ref.hash);
  const peeled = await peel(git, folder, deep, signal);
  const contents = new Map<string, Buffer>();
  for await (const object of readObjects(git, folder, unique(tagObjects), signal)) {
    contents.set(object.hash, object.bytes);
  }

  const branches: Branch[] = [];
  const tags: Tag[] = [];
  const heads = new Set<string>();
  for (const ref of refs) {
    const target = peeled.get(ref.hash) ?? ref.target ?? ref;
    if (target.type === 'commit') heads.add(target.hash);
    const branch = afterPrefix(ref.name, 'refs/heads/');
    if (branch === undefined) {
      const name = afterPrefix(ref.name, 'refs/tags/') ?? ref.name;
      tags.push({ name, targetHash: target.hash, ...readTagObject(contents.get(ref.hash)) });
    } else branches.push({ name: branch, targetHash: target.hash });
  }
  return { branches, tags, heads: [...heads].toSorted() };
}

async function listRefs(git: Git, folder: string, signal: AbortSignal): Promise<Ref[]> {
  const args = ['for-each-ref', `--format=${FORMAT}`, 'refs/heads', 'refs/tags'];
  const listed = await git.bytes({ folder, args, signal });
  // latin1 keeps every byte while the text is cut; no name holds a newline or NUL
  const lines = listed
    .toString('latin1')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [name = '', type = '', hash = '', targetType = '', targetHash = ''] = line.split('\0');
    const target = targetHash === '' ? undefined : { type: targetType, hash: targetHash };
    return { name: escapeBytes(Buffer.from(name, 'latin1')), type, hash, target };
  });
}

/** A tag may point to a tag: follows each to the object at the end. */
async function peel(git: Git, folder: string, hashes: string[], signal: AbortSignal) {
  const asked = unique(hashes);
  const found = new Map<string, Target>();
  if (asked.length === 0) return found;
  const args = ['cat-file', '--batch-check=%(objectname) %(objecttype)', '--buffer'];
  const input = asked.map((hash) => `${hash}^{}\n`);
  const lines = (await git.text({ folder, args, input, signal })).split('\n');
  asked.forEach((tag, at) => {
    const [hash, type] = lines[at]?.split(' ') ?? [];
    if (hash !== undefined && type !== undefined) found.set(tag, { hash, type });
  });
  return found;
}

function readTagObject(bytes: Buffer | undefined): Omit<Tag, 'name' | 'targetHash'> {
  if (bytes === undefined) {
    return { annotated: false, message: null, taggerName: null, taggerEmail: null, taggedAt: null };
  }
  const { headers, message } = splitObject(bytes);
  const line = headers.find(([key]) => key === 'tagger')?.[1];
  const read = (part: Buffer) => decodeText(part, undefined);
  const tagger = line === undefined ? undefined : readPerson(line, read);
  return {
    annotated: true,
    message: read(message),
    taggerName: tagger?.name ?? null,
    taggerEmail: tagger?.email ?? null,
    taggedAt: tagger?.at ?? null,
  };
}

const unique = (hashes: readonly string[]): string[] => [...new Set(hashes)];

const afterPrefix = (name: string, prefix: string): string | undefined =>
  name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
