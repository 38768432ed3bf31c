import { randomBytes } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { unescapeText, unescapeToBytes } from '../../../db/text.ts';
import { addHistory, storedRefs, toldRefs } from './history.ts';
import { createPlace, type Place, type Subject } from './place.ts';

let place: Place;
beforeAll(async () => {
  place = await createPlace();
});
afterAll(() => place.close());

const PEOPLE = 'author A <a@x> 1600000000 +0000\ncommitter C <c@x> 1600000001 +0000\n';
const bytes = (...pieces: (string | Uint8Array)[]) =>
  Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));

async function importAll(subject: Subject): Promise<void> {
  await place.importGit({ subject, importId: await subject.newImport() });
}

const commitsOf = (subject: Subject) =>
  place.sql`select * from commits where repository_id = ${subject.repositoryId} order by hash`;

/** Files as git itself names them, with their bytes, by commit. */
function filesByGit(subject: Subject, commits: readonly string[]): Map<string, string[]> {
  const how = ['--root', '-r', '-z', '--no-renames', '--name-only', '--always', '--diff-merges=first-parent'];
  const out = subject.git.git(['diff-tree', '--stdin', ...how], `${commits.join('\n')}\n`).toString('latin1');
  const files = new Map<string, string[]>();
  let current: string[] = [];
  for (const word of out.split('\0').slice(0, -1)) {
    // each commit's files come behind its own hash
    if (word === commits[files.size]) files.set(word, (current = []));
    else current.push(word);
  }
  return files;
}

/** Commit objects as git holds them. */
function commitObjects(subject: Subject, commits: readonly string[]): Buffer[] {
  let out = subject.git.git(['cat-file', '--batch'], `${commits.join('\n')}\n`);
  return commits.map(() => {
    const end = out.indexOf('\n');
    const size = Number(out.toString('latin1', 0, end).split(' ')[2]);
    const object = out.subarray(end + 1, end + 1 + size);
    out = out.subarray(end + size + 2);
    return object;
  });
}

async function filesStored(subject: Subject, commit: string): Promise<string[]> {
  const rows = await place.sql`select path, old_path from commit_files
    where repository_id = ${subject.repositoryId} and commit_hash = ${commit}`;
  return rows
    .flatMap((row) => [row['path'], row['old_path']])
    .filter((path) => path !== null)
    .map((path: string) => Buffer.from(unescapeToBytes(path)).toString('latin1'))
    .toSorted();
}

const byte = fc.oneof(
  fc.integer({ min: 0, max: 255 }),
  fc.constantFrom(0, 9, 10, 0x1a, 0x22, 0x5c, 0xff, 0xc3, 0xa9),
);
const anyBytes = fc.array(byte, { maxLength: 40 }).map((values) => Uint8Array.from(values));
const anyName = anyBytes
  .map((value) => value.map((unit) => (unit === 0 || unit === 0x2f ? 0x62 : unit)))
  .filter(
    (value) =>
      value.length > 0 && !['.', '..', '.git'].includes(Buffer.from(value).toString('latin1').toLowerCase()),
  );

test('random bytes in paths and messages come back as git holds them', async () => {
  const subject = await place.subject('random');
  const made = fc.sample(
    fc.record({
      message: anyBytes,
      names: fc.uniqueArray(anyName, { maxLength: 4, selector: (v) => Buffer.from(v).toString('hex') }),
    }),
    {
      seed: 20261123,
      numRuns: 150,
    },
  );
  const commits = made.map(({ message, names }, index) => {
    const tree = subject.git.tree(
      names.map((path) => ({ name: Buffer.from(path), content: `content ${index}\n` })),
    );
    return subject.git.object('commit', bytes(`tree ${tree}\n${PEOPLE}\n`, message));
  });
  const branches = commits.map((hash, index) => `create refs/heads/b${index} ${hash}\n`);
  subject.git.git(['update-ref', '--stdin'], branches.join(''));
  await importAll(subject);
  const rows = new Map((await commitsOf(subject)).map((row) => [row['hash'], row]));
  expect(rows.size).toBe(new Set(commits).size);
  const known = [...new Set(commits)];
  const objects = commitObjects(subject, known);
  const files = filesByGit(subject, known);
  for (const [index, hash] of known.entries()) {
    const object = objects[index]!;
    const row = rows.get(hash);
    const message = object.subarray(object.indexOf('\n\n') + 2);
    expect(unescapeText(row?.['message'])).toBe(message.toString('utf8'));
    const text = Buffer.from(object.toString('utf8'));
    expect(row?.['raw_bytes'] === null ? text : row?.['raw_bytes']).toEqual(object);
    expect(await filesStored(subject, hash)).toEqual(files.get(hash)?.toSorted());
  }
});

test('what old and broken tools wrote is stored, never lost', async () => {
  const subject = await place.subject('odd');
  const tree = subject.git.tree([{ name: 'f', content: 'x\n' }]);
  const longPath = `d/${'long '.repeat(800)}`;
  const deepName = Array.from({ length: 4_000 }, (_, i) =>
    String.fromCharCode(97 + ((i * i * 7 + i) % 26)),
  ).join('');
  const messages = {
    nul: bytes(PEOPLE, '\nbefore\0after'),
    noMessage: bytes(PEOPLE),
    huge: bytes(PEOPLE, '\n', 'megabyte '.repeat(1_000_000)),
    noPeople: bytes('\nno author at all'),
    year10000: bytes('author A <a@x> 253402300800 +0000\ncommitter C <c@x> 1 +0000\n\nlate'),
    badZone: bytes('author A <a@x> 1600000000 +051800\ncommitter C <c@x> 1 --700\n\nzones'),
    negative: bytes('author A <a@x> -1 +0000\ncommitter C <c@x> 1 +0000\n\nearly'),
    latin1: bytes(PEOPLE, 'encoding ISO-8859-1\n\ncaf', Uint8Array.of(0xe9)),
  };
  const hashes = Object.entries(messages).map(([key, header]): [string, string] => {
    const hash = subject.git.object('commit', bytes(`tree ${tree}\n`, header));
    subject.git.git(['update-ref', `refs/heads/${key}`, hash]);
    return [key, hash];
  });
  const paths = subject.git.object(
    'commit',
    bytes(
      `tree ${subject.git.tree([
        { name: deepName, content: 'y\n' },
        { name: longPath.replaceAll('/', '_'), content: 'z\n' },
      ])}\n${PEOPLE}\nlong paths`,
    ),
  );
  subject.git.git(['update-ref', 'refs/heads/paths', paths]);
  await importAll(subject);
  const rows = new Map((await commitsOf(subject)).map((row) => [row['hash'], row]));
  const row = (key: keyof typeof messages) => rows.get(Object.fromEntries(hashes)[key] ?? '') ?? {};
  expect(rows.size).toBe(hashes.length + 1);
  expect(unescapeText(row('nul')['message'])).toBe('before\0after');
  expect(row('noMessage')['message']).toBe('');
  expect(row('huge')['message']).toHaveLength(9_000_000);
  expect(row('noPeople')).toMatchObject({ author_name: '', authored_at: null, message: 'no author at all' });
  expect(row('year10000')).toMatchObject({ authored_at: null, author_zone: '+0000' });
  expect(row('badZone')).toMatchObject({ author_zone: '+051800', committer_zone: '--700' });
  expect(row('negative')).toMatchObject({ authored_at: null });
  expect(row('latin1')['message']).toBe('café');
  expect(row('latin1')['raw_bytes']).toEqual(
    subject.git.git(['cat-file', 'commit', String(row('latin1')['hash'])]),
  );
  expect(await filesStored(subject, paths)).toEqual(filesByGit(subject, [paths]).get(paths)?.toSorted());
});

test('tags: light, annotated, of a tag, of a file, with odd bytes', async () => {
  const subject = await place.subject('tags');
  const tree = subject.git.tree([{ name: 'f', content: 'x\n' }]);
  const commit = subject.git.object('commit', `tree ${tree}\n${PEOPLE}\nonly reachable by tags`);
  const blob = subject.git.object('blob', 'a key');
  const tag = (target: string, type: string, rest: string | Uint8Array) =>
    subject.git.object('tag', bytes(`object ${target}\ntype ${type}\ntag t\n`, rest));
  const annotated = tag(commit, 'commit', 'tagger T Ø <t@x> 1600000000 +0200\n\nthe message\n');
  const refs: Record<string, string> = {
    light: commit,
    annotated,
    nested: tag(annotated, 'tag', '\nnobody tagged'),
    'of-a-file': tag(blob, 'blob', bytes('\n', Uint8Array.of(0xff))),
    'umlaut/ä': commit,
  };
  for (const [ref, hash] of Object.entries(refs)) subject.git.git(['update-ref', `refs/tags/${ref}`, hash]);
  await importAll(subject);
  const rows = await place.sql`select name, target_hash, annotated, message, tagger_name, tagger_email,
      extract(epoch from tagged_at)::int as at
    from tags where repository_id = ${subject.repositoryId} order by name`;
  const none = { message: null, tagger_name: null, tagger_email: null, at: null };
  expect([...rows].map((row) => ({ ...row })).toSorted((a, b) => (a['name'] < b['name'] ? -1 : 1))).toEqual([
    {
      name: 'annotated',
      target_hash: commit,
      annotated: true,
      message: 'the message\n',
      tagger_name: 'T Ø',
      tagger_email: 't@x',
      at: 1_600_000_000,
    },
    { name: 'light', target_hash: commit, annotated: false, ...none },
    { name: 'nested', target_hash: commit, annotated: true, ...none, message: 'nobody tagged' },
    { name: 'of-a-file', target_hash: blob, annotated: true, ...none, message: '\ufffd' },
    { name: 'umlaut/ä', target_hash: commit, annotated: false, ...none },
  ]);
  expect(await commitsOf(subject)).toHaveLength(1);
});

test('refs whose names are too long for an index are kept apart until they are gone, and the others stored', async () => {
  const subject = await place.subject('long-names');
  addHistory(subject, 3);
  const [main = ''] = subject.git.lines(['rev-parse', 'main']);
  // git itself takes them, where the file system does not, in its file of packed refs
  const names = ['heads', 'tags'].map((kind) => `refs/${kind}/${randomBytes(4_000).toString('hex')}`);
  const packed = join(subject.git.path, 'packed-refs');
  writeFileSync(packed, names.map((name) => `${main} ${name}\n`).join(''));
  const kept = () => place.sql`select reason, attempts, convert_from(raw, 'utf8')::jsonb ->> 'type' as type
    from quarantine where repository_id = ${subject.repositoryId} and stream = 'refs' order by type`;
  for (const attempts of [1, 2]) {
    const importId = await subject.newImport();
    expect(await place.importGit({ subject, importId })).toMatchObject({ done: true });
    expect(await storedRefs(place, subject)).toEqual([`refs/heads/main ${main}`]);
    const reason = expect.stringContaining('Postgres refuses it');
    expect(await kept()).toMatchObject(['branch', 'tag'].map((type) => ({ type, reason, attempts })));
    const [counts] = await place.sql`select records_expected::int as expected, records_stored::int as stored,
      quarantined::int, state from import_streams where import_id = ${importId} and stream = 'refs'`;
    expect(counts).toEqual({ expected: 3, stored: 1, quarantined: 2, state: 'healthy' });
  }
  writeFileSync(packed, '');
  await importAll(subject);
  expect(await kept()).toEqual([]);
});

test('a branch or tag may be called like what a fetch that was killed leaves behind', async () => {
  const subject = await place.subject('leftovers');
  addHistory(subject, 5);
  await importAll(subject);
  for (const name of ['tmp_obj_cleanup/a', 'tmp_pack_b']) {
    subject.git.git(['branch', name, 'main']);
    subject.git.git(['tag', name, 'main']);
  }
  const half = join(
    place.folder,
    'clones',
    'worker',
    'ready',
    subject.repositoryId,
    'objects',
    'tmp_obj_half',
  );
  writeFileSync(half, 'half');
  // The first fetch stores them one file each, which the second meets.
  for (const _ of [1, 2]) await importAll(subject);
  expect(await storedRefs(place, subject)).toEqual(toldRefs(subject));
  expect(existsSync(half)).toBe(false);
});

test('an empty repository is healthy and has nothing', async () => {
  const subject = await place.subject('empty');
  const importId = await subject.newImport();
  expect(await place.importGit({ subject, importId })).toMatchObject({ done: true, records: 0 });
  const rows = await place.sql`select state, records_stored::int as stored, records_expected::int as expected
    from import_streams where import_id = ${importId}`;
  expect(rows.map((row) => ({ ...row }))).toEqual([
    { state: 'healthy', stored: 0, expected: 0 },
    { state: 'healthy', stored: 0, expected: 0 },
  ]);
});
