import { describe, expect, test } from 'vitest';
import { activityItem } from '../../../activities/pullRequests/activityRows.ts';
import { activitySchema } from '../../../activities/bitbucket/schemas.ts';

const ANN = { uuid: '{00000000-0000-4000-8000-000000000001}', type: 'user', display_name: 'Ann' };
const BOB = { uuid: '{00000000-0000-4000-8000-000000000002}', type: 'user', display_name: 'Bob' };
const AT = '2026-10-07T18:39:55.551762+00:00';

function itemOf(entry: Record<string, unknown>) {
  const raw = { pull_request: { id: 7, title: 'now' }, ...entry };
  return activityItem({ value: activitySchema.parse(raw), raw, storable: raw }, '2026-11-01T00:00:00Z');
}
const keyOf = (entry: Record<string, unknown>) => itemOf(entry)?.row.entry_key;
const update = (more: Record<string, unknown> = {}) => ({
  update: { date: AT, author: ANN, state: 'OPEN', title: 'A', changes: {}, ...more },
});

describe('the key of an activity entry', () => {
  test('a comment is known by its id, whatever else changes', () => {
    const comment = { id: 12, user: ANN, created_on: AT, updated_on: AT, content: { raw: 'a' } };
    expect(keyOf({ comment })).toBe('comment:12');
    expect(keyOf({ comment: { ...comment, content: { raw: 'b' }, deleted: true } })).toBe('comment:12');
  });

  test('an approval is kind, time and actor', () => {
    expect(keyOf({ approval: { date: AT, user: ANN } })).toBe(
      `approval:2026-10-07T18:39:55.551762Z:${ANN.uuid}`,
    );
    const keys = [
      keyOf({ approval: { date: AT, user: ANN } }),
      keyOf({ approval: { date: AT, user: BOB } }),
      keyOf({ changes_requested: { date: AT, user: ANN } }),
      keyOf({ approval: { date: '2026-10-07T18:39:55.551763+00:00', user: ANN } }),
      keyOf({ approval: { date: AT, user: null } }),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('two updates of one moment by one person both survive', () => {
    const keys = [
      keyOf(update()),
      keyOf(update({ state: 'MERGED' })),
      keyOf(update({ title: 'B' })),
      keyOf(update({ changes: { title: { old: 'A', new: 'B' } } })),
      keyOf(update({ changes: { reviewers: { added: [BOB] } } })),
      keyOf(update({ changes: { reviewers: { added: [ANN] } } })),
    ];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('is the same when an account is renamed, a fork goes, or fields come in another order', () => {
    const changes = { reviewers: { added: [BOB] }, title: { old: 'A', new: 'B' } };
    const key = keyOf(update({ changes, source: { commit: { hash: 'abc' } } }));
    const renamed = {
      title: { new: 'B', old: 'A' },
      reviewers: { added: [{ ...BOB, display_name: 'Robert' }] },
    };
    expect(keyOf(update({ changes: renamed, source: { commit: null } }))).toBe(key);
    expect(
      keyOf({ update: { ...update({ changes }).update, author: { ...ANN, display_name: 'Anna' } } }),
    ).toBe(key);
  });

  test('an entry of no known kind is no item', () => {
    expect(itemOf({ something_new: { date: AT } })).toBeUndefined();
  });
});

describe('the comment inside an entry', () => {
  const comment = { id: 12, user: ANN, created_on: AT, updated_on: AT };

  test('is stored when it is there in full', () => {
    expect(itemOf({ comment: { ...comment, content: { raw: 'a' }, deleted: false } })?.comment).toMatchObject(
      {
        pull_request_number: 7,
        comment_id: 12,
        content: 'a',
      },
    );
  });

  test('is left to its own list when it is short', () => {
    expect(itemOf({ comment })?.comment).toBeUndefined();
    expect(itemOf({ comment })?.row).toMatchObject({ kind: 'comment', comment_id: 12 });
  });
});
