import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidResponse } from '../../../activities/bitbucket/errors.ts';
import { readPage, readRecords, walkPages } from '../../../activities/bitbucket/paging.ts';
import { parseRecords } from '../../../activities/bitbucket/records.ts';
import { recordTexts } from '../../../activities/bitbucket/recordTexts.ts';
import * as schemas from '../../../activities/bitbucket/schemas.ts';
import { isTimestamp } from '../../../activities/bitbucket/timestamp.ts';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text);
const textOf = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function answerOf(text: string): BitbucketAnswer {
  return {
    status: 200,
    json: JSON.parse(text) as unknown,
    bytes: bytesOf(text),
    observedAt: '2026-11-23T12:00:00.000000Z',
    date: undefined,
    scopes: {},
  };
}

describe('the bytes of each record', () => {
  it('are those that stood in the page, for any JSON', () => {
    fc.assert(
      fc.property(
        fc.array(fc.jsonValue(), { maxLength: 6 }),
        fc.jsonValue(),
        fc.constantFrom(undefined, 1, '\t', '\r\n'),
        (values, other, space) => {
          const text = JSON.stringify({ other, values, next: 'x"]}\\' }, null, space);
          const texts = recordTexts(bytesOf(text)).map(textOf);
          expect(texts.map((record) => JSON.parse(record) as unknown)).toEqual(
            (JSON.parse(text) as { values: unknown[] }).values,
          );
          for (const record of texts) expect(text).toContain(record);
        },
      ),
    );
  });

  it('keep what parsing changes: large numbers, repeated keys, escapes', () => {
    const records = ['{"id":9007199254740993}', '{"a":1,"a":2}', '"\\u0041\\"]"', '1e400', '-0', 'null'];
    const page = `{"values": [${records.join(' , ')}], "size": 6}`;
    expect(recordTexts(bytesOf(page)).map(textOf)).toEqual(records);
  });

  it('are none where there is no list', () => {
    for (const page of ['{}', '{"values":{}}', '{"values":"[1]"}', '{"value":[1]}', '{"values":[]}']) {
      expect(recordTexts(bytesOf(page))).toEqual([]);
    }
    expect(recordTexts(bytesOf('{"values":[1],"values":[2,3]}')).map(textOf)).toEqual(['2', '3']);
  });
});

describe('one bad record', () => {
  const comment = { id: 1, created_on: '2026-01-01T00:00:00Z', updated_on: '2026-01-01T00:00:00Z' };
  const page = (...records: unknown[]) => answerOf(JSON.stringify({ values: records }));

  it.each([
    ['an id beyond 2^53', { ...comment, id: 2 ** 53 + 2 }],
    ['an id that is text', { ...comment, id: '7' }],
    ['no id', { ...comment, id: undefined }],
    ['the year 0', { ...comment, created_on: '0000-01-01T00:00:00Z' }],
    ['30 February', { ...comment, updated_on: '2026-02-30T00:00:00Z' }],
    ['no time', { ...comment, updated_on: null }],
    ['a string', 'x'],
    ['null', null],
    ['a list', []],
  ])('with %s is set aside and the others are read', (_, bad) => {
    const answer = page(comment, bad, { ...comment, id: 2 });
    const { records, rejected } = readRecords(schemas.commentSchema, answer, readPage(answer, '/x'));
    expect(records.map(({ value }) => value.id)).toEqual([1, 2]);
    expect(rejected).toHaveLength(1);
    expect(rejected[0]?.reason).not.toBe('');
    expect(JSON.parse(textOf(rejected[0]!.raw))).toEqual(JSON.parse(JSON.stringify(bad)));
  });

  it('keeps a number that JSON.parse has rounded', () => {
    const answer = answerOf('{"values":[{"id":9007199254740993,"created_on":"2026-01-01T00:00:00Z"}]}');
    const { rejected } = readRecords(schemas.commentSchema, answer, readPage(answer, '/x'));
    expect(textOf(rejected[0]!.raw)).toContain('9007199254740993');
    expect(rejected[0]!.key).toMatch(/^sha256:[0-9a-f]{64}$/);
  });

  it('nested 10,000 levels deep overflows nothing', () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`;
    const answer = answerOf(`{"values":[{"id":5,"content":${deep}},${JSON.stringify(comment)}]}`);
    const parsed = readRecords(schemas.commentSchema, answer, readPage(answer, '/x'));
    expect(parsed.records).toHaveLength(1);
    expect(parsed.rejected).toMatchObject([{ key: '5' }]);
    expect(textOf(parsed.rejected[0]!.raw)).toContain(deep);
  });

  it('with a key named __proto__ changes nobody', () => {
    const raw = JSON.parse('{"id":1,"__proto__":{"deleted":true}}') as unknown;
    parseRecords(schemas.commentSchema, [raw]);
    expect(({} as { deleted?: boolean }).deleted).toBeUndefined();
  });

  it('whose decoration has another type is still a record', () => {
    const user = { uuid: '{00000000-0000-0000-0000-000000000001}', display_name: 7, nickname: {} };
    const { records } = parseRecords(schemas.commentSchema, [{ ...comment, user, deleted: 'no' }]);
    expect(records[0]?.value).toMatchObject({ user: { display_name: null }, deleted: null });
  });
});

describe('a page', () => {
  it.each(['{}', '[]', '{"values":null}', '{"values":{}}', '{"values":[],"next":7}', '"x"', '7', 'null'])(
    'of another shape is an error, never empty: %s',
    (text) => {
      expect(() => readPage(answerOf(text), '/x')).toThrow(InvalidResponse);
    },
  );

  it('may leave out everything but its values', () => {
    expect(readPage(answerOf('{"values":[1]}'), '/x')).toEqual({ values: [1], next: null, size: null });
    expect(readPage(answerOf('{"values":[],"size":"7","next":null}'), '/x').size).toBeNull();
  });

  async function walk(pages: Record<string, string>): Promise<unknown[]> {
    const values: unknown[] = [];
    const get = async (place: { path: string } | { next: string }) =>
      answerOf(pages['path' in place ? place.path : place.next] ?? '{}');
    for await (const page of walkPages({ start: { path: 'a' }, get })) values.push(...page.values);
    return values;
  }

  it('leads to the next until there is none', async () => {
    const pages = { a: '{"values":[1],"next":"b"}', b: '{"values":[2],"next":"c"}', c: '{"values":[3]}' };
    expect(await walk(pages)).toEqual([1, 2, 3]);
  });

  it.each([
    { a: '{"values":[],"next":"b"}', b: '{"values":[],"next":"b"}' },
    { a: '{"values":[],"next":"b"}', b: '{"values":[],"next":"c"}', c: '{"values":[],"next":"b"}' },
  ])('that leads in a circle ends the walk with an error', async (pages) => {
    await expect(walk(pages)).rejects.toThrow(InvalidResponse);
  });

  it.each([
    ['as many pages as its caller allows', 5, 5],
    ['10,000 pages unless told', undefined, 10_000],
  ])('that leads on and on is followed for %s, then it is an error', async (_, maxPages, pages) => {
    let asked = 0;
    const get = async () => answerOf(`{"values":[],"next":"${String((asked += 1))}"}`);
    const options = { start: { path: 'a' }, get, ...(maxPages === undefined ? {} : { maxPages }) };
    let read = 0;
    const walking = (async () => {
      for await (const { values } of walkPages(options)) {
        read += 1 + values.length;
        if (read > pages) return;
      }
    })();
    await expect(walking).rejects.toThrow(InvalidResponse);
    expect([read, asked]).toEqual([pages, pages]);
  });
});

it('timestamps are those that Postgres takes', () => {
  for (const good of [
    '2026-10-07T18:39:55.551762+00:00',
    '2026-10-07T18:39:55Z',
    '2025-01-01T00:00:00.123456789Z',
    '2024-02-29T23:59:59+05:30',
    '0001-01-01T00:00:00Z',
    '9999-12-31T23:59:59-12:00',
  ]) {
    expect(isTimestamp(good), good).toBe(true);
  }
  for (const bad of [
    '',
    'yesterday',
    '2026-10-07',
    '0000-10-07T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-10-07T24:00:00Z',
    '2026-10-07T00:60:00Z',
    '2026-10-07T00:00:00+16:00',
    '12026-10-07T00:00:00Z',
    '-2026-10-07T00:00:00Z',
  ]) {
    expect(isTimestamp(bad), bad).toBe(false);
  }
});

const FIXTURES = new URL('../../../../shared/bitbucket/fixtures/', import.meta.url);

describe.skipIf(!existsSync(FIXTURES))('the recorded payloads (../shared/bitbucket/fixtures)', () => {
  /** Some recordings stand with their headers: `{request, status, headers, body}`. */
  function read(path: string): unknown {
    const json = JSON.parse(readFileSync(new URL(path, FIXTURES), 'utf8')) as { body?: unknown };
    return json.body ?? json;
  }
  const cli = 'gildas-bitbucket-cli/testdata/';
  const scm = 'drone-go-scm/testdata/';

  it.each([
    ['activityEntry', `${cli}activity-approval.json`, schemas.activitySchema],
    ['activityEntry', `${cli}activity-comment.json`, schemas.activitySchema],
    ['activityEntry', `${cli}activity-missing.json`, schemas.activitySchema],
    ['activityEntry', `${cli}activity-update.json`, schemas.activitySchema],
    ['participant', `${cli}participant.json`, schemas.participantSchema],
    ['pullRequest', `${cli}pullrequest.json`, schemas.pullRequestSchema],
    ['pullRequest', `${cli}pullrequest-no-dest-repo.json`, schemas.pullRequestSchema],
    ['repository', `${cli}repository.json`, schemas.repositorySchema],
    ['repository', 'go-gitea-gitea/repository.json', schemas.repositorySchema],
    ['repository', `${scm}repo.json`, schemas.repositorySchema],
    ['workspace', `${cli}workspace.json`, schemas.workspaceSchema],
    ['workspaceAccess', `${cli}workspace-access.json`, schemas.workspaceAccessSchema],
    ['pullRequest', `${scm}pr.json`, schemas.pullRequestSchema],
  ])('%s of %s is read', (_, path, schema) => {
    const { rejected } = parseRecords<unknown>(schema, [read(path)]);
    expect(rejected.map(({ reason }) => reason)).toEqual([]);
  });

  it.each([
    [`${cli}pullrequests.json`, schemas.pullRequestSchema],
    ['go-gitea-gitea/pullrequests_page1.json', schemas.pullRequestSchema],
    ['go-gitea-gitea/pullrequest_1_comments_empty.json', schemas.commentSchema],
    [`${scm}prs.json`, schemas.pullRequestSchema],
    [`${scm}prcomments.json`, schemas.commentSchema],
    [`${scm}repos.json`, schemas.repositorySchema],
    [`${scm}repos-2.json`, schemas.repositorySchema],
  ])('the list %s is read', (path, schema) => {
    const text = JSON.stringify(read(path));
    const answer = answerOf(text);
    const { rejected } = readRecords<unknown>(schema, answer, readPage(answer, path));
    expect(rejected.map(({ reason }) => reason)).toEqual([]);
  });
});
