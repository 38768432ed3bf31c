import { expect, test } from 'vitest';
import { readRecords } from '../../../activities/bitbucket/paging.ts';
import { branchSchema, commitSchema, tagSchema } from '../../../activities/bitbucket/schemas.ts';
import {
  branchItem,
  commitItem,
  isTagRow,
  personOf,
  tagItem,
} from '../../../activities/commits/listedRows.ts';

const HASH = 'a'.repeat(40);
const PARENT = 'b'.repeat(40);
const AT = '2026-11-26T00:00:00.000000Z';

const answerOf = (values: unknown[]) => ({
  status: 200,
  json: { values },
  bytes: new TextEncoder().encode(JSON.stringify({ values })),
  observedAt: AT,
  date: undefined,
  scopes: {},
});
const page = (values: unknown[]) => ({ values, next: null, size: null });
const commits = (...values: unknown[]) => {
  const { records, rejected } = readRecords(commitSchema, answerOf(values), page(values));
  return { rows: records.map((record) => commitItem(record).row), rejected };
};
const commit = (given: object) => ({
  type: 'commit',
  hash: HASH,
  date: '2026-10-07T18:39:55+00:00',
  author: { type: 'author', raw: 'Ann <ann@x.org>' },
  message: 'Subject\n',
  parents: [{ type: 'commit', hash: PARENT }],
  ...given,
});

test.each([
  ['Ann Lee <ann@x.org>', 'Ann Lee', 'ann@x.org'],
  ['  <ann@x.org>', '', 'ann@x.org'],
  ['Ann <>', 'Ann', ''],
  ['ann@x.org', 'ann@x.org', ''],
  ['Ann <ann@x.org> (work) <b@x.org>', 'Ann', 'ann@x.org'],
  ['Ann <ann', 'Ann <ann', ''],
  ['', '', ''],
])('takes apart %j', (raw, name, email) => {
  expect(personOf(raw)).toEqual({ name, email });
});

test('a commit of the list has what git would tell, without line counts', () => {
  const { rows } = commits(commit({ message: 'NUL \0 in it' }));
  expect(rows).toEqual([
    {
      hash: HASH,
      parent_hashes: [PARENT],
      author_name: 'Ann',
      author_email: 'ann@x.org',
      authored_at: '2026-10-07T18:39:55+00:00',
      committer_name: '',
      committer_email: '',
      message: 'NUL \u001a0000 in it',
    },
  ]);
});

test('what old tools wrote is no reason to refuse a commit: no author, a date of no calendar, an odd committer', () => {
  const { rows, rejected } = commits(
    commit({ author: null, date: '0000-00-00T00:00:00+00:00' }),
    commit({ author: {}, date: null, committer: {} }),
    commit({ committer: { raw: 'Bob <bob@x.org>' }, parents: [] }),
  );
  expect(rejected).toEqual([]);
  expect(rows).toMatchObject([
    { author_name: '', authored_at: null },
    { author_name: '', authored_at: null, committer_name: '' },
    { committer_name: 'Bob', committer_email: 'bob@x.org', parent_hashes: [] },
  ]);
});

test('without a hash, a message or its parents it is none; its hash is its key in quarantine', () => {
  const { rows, rejected } = commits(
    commit({ hash: 'abc' }),
    commit({ message: 7 }),
    commit({ parents: [{ hash: 'main' }] }),
    commit({ hash: 7 }),
  );
  expect(rows).toEqual([]);
  expect(rejected.map(({ key }) => key)).toEqual(['abc', HASH, HASH, expect.stringMatching(/^sha256:/)]);
});

test('tags: an annotated one has a message, a lightweight one nothing; branches and tags share no keys', () => {
  const target = { type: 'commit', hash: HASH };
  const values = [
    {
      type: 'tag',
      name: 'v1',
      target,
      message: 'One\n',
      date: '2026-10-07T18:39:55+00:00',
      tagger: { raw: 'Ann <a@x>' },
    },
    { type: 'tag', name: 'v2', target, message: null, date: null, tagger: null },
    { type: 'tag', name: 'blob', target: null },
  ];
  const { records, rejected } = readRecords(tagSchema, answerOf(values), page(values));
  const [annotated, light] = records.map((record) => tagItem(record, AT));
  expect(annotated?.row).toMatchObject({
    annotated: true,
    message: 'One\n',
    tagger_name: 'Ann',
    tagger_email: 'a@x',
  });
  expect(light?.row).toMatchObject({ name: 'v2', annotated: false, message: null, tagged_at: null });
  expect(rejected.map(({ key }) => key)).toEqual(['tag/blob']);
  const branches = [{ type: 'branch', name: 'v1', target }];
  const [branch] = readRecords(branchSchema, answerOf(branches), page(branches)).records.map((record) =>
    branchItem(record, AT),
  );
  expect([branch?.key, annotated?.key]).toEqual(['branch/v1', 'tag/v1']);
  expect([branch, annotated].map((item) => item !== undefined && isTagRow(item))).toEqual([false, true]);
});
