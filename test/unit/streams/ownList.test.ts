import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import {
  type BitbucketErrorType,
  InvalidResponse,
  type Retry,
} from '../../../activities/bitbucket/errors.ts';
import {
  behindOwnPage,
  forgetRefusal,
  type OwnList,
  ownListFields,
  ownListPlace,
  readDoubt,
  recoverOwnList,
  startOwnLists,
} from '../../../activities/streams/ownList.ts';

const inHand = { ...startOwnLists(), inHand: 7 };
const emptyList: BitbucketAnswer = {
  status: 200,
  json: { values: [] },
  bytes: new Uint8Array(),
  observedAt: '2026-01-01T00:00:00Z',
  date: undefined,
  scopes: {},
};
const refused = (type: BitbucketErrorType, retry: Retry = { kind: 'never' }) => ({ type, retry });
const ownListSchema = z.object(ownListFields);
const contradicted = refused('InvalidResponse', { kind: 'limited', attempts: 5, readsOn: true });
const page = (values: object[], next: string | null, size: number | null = null) => ({ values, next, size });

describe('an own list', () => {
  test('is settled by its last page, with the number of records that are not deleted', () => {
    const first = behindOwnPage(inHand, page([{}, { deleted: true }], 'more', 3), 'x');
    expect(first.end).toBeUndefined();
    const last = behindOwnPage(first.position, page([{ deleted: false }], null, 3), 'x');
    expect(last.end).toEqual({ number: 7, outcome: 'not_listed', live: 2 });
    expect(last.position).toEqual({ ...startOwnLists(), after: 7 });
  });

  test('may begin again as often as any other, whatever those before it needed', () => {
    const again = { ...inHand, restarts: 3 };
    const settled = [
      behindOwnPage(again, page([], null), 'x'),
      recoverOwnList(again, 'Forbidden'),
      readDoubt({ ...again, doubted: true }, emptyList, 'x'),
    ];
    for (const behind of settled) expect(behind?.position).toMatchObject({ after: 7, restarts: 0 });
  });

  test('that ends before its own size is an error, never a gap', () => {
    expect(() => behindOwnPage(inHand, page([{}], null, 2), 'x')).toThrow(InvalidResponse);
  });
});

describe('a refusal', () => {
  test.each(['NotFound', 'RepositoryGone', 'FeatureGone'] as const)(
    '%s is doubted: the parent is looked for in the list of all before it counts as gone',
    (type) => {
      const found = recoverOwnList(inHand, type);
      expect(found).toEqual({ position: { ...inHand, doubted: true } });
      const paths = { own: '/own', all: '/all', number: 7 };
      expect(ownListPlace(found!.position, paths)).toEqual({ path: '/all?pagelen=10&q=id%3D7' });
      // The look itself is refused: the repository is gone, not a pull request of it.
      expect(recoverOwnList(found!.position, type)).toBeUndefined();
      // Who tries again, when it may be back, asks for the own list first.
      expect(forgetRefusal(found!.position, refused(type))).toEqual(inHand);
      expect(forgetRefusal(found!.position, refused('Upstream'))).toBeUndefined();
    },
  );

  test('of a stored next begins the list again, and counts its records anew', () => {
    const second = { ...inHand, next: 'more', seen: 100, live: 90, pages: 1 };
    expect(recoverOwnList(second, 'BadRequest')).toEqual({ position: { ...inHand, restarts: 1 } });
    expect(recoverOwnList({ ...second, restarts: 3 }, 'BadRequest')).toBeUndefined();
    // Who tries again does not ask for it any more.
    expect(forgetRefusal({ ...second, restarts: 3 }, refused('BadRequest'))).toEqual(inHand);
  });

  test('of what contradicts itself, or another list, leaves nothing to go on from: the own list is asked for anew', () => {
    const third = { ...inHand, next: 'more', seen: 100, live: 90, pages: 1, refusals: 2 };
    expect(forgetRefusal(third, contradicted)).toEqual({ ...inHand, refusals: 2 });
    // A single page that cannot be read costs that page alone.
    const unreadable = refused('InvalidResponse', { kind: 'limited', attempts: 5 });
    expect(forgetRefusal(third, unreadable)).toBeUndefined();
  });

  test.each(['not found', 'not permitted'])(
    'of several in a row, %s: all of them are asked again',
    (kind) => {
      const listed: BitbucketAnswer = { ...emptyList, json: { values: [{}] } };
      const refuse = (at: OwnList): OwnList =>
        kind === 'not found'
          ? ownListSchema.parse(readDoubt({ ...at, doubted: true }, listed, 'x').position)
          : recoverOwnList(at, 'Forbidden')!.position;
      const second = { ...refuse({ ...startOwnLists(), after: 5, inHand: 7 }), inHand: 8 };
      const third = { ...refuse(second), inHand: 9 };
      expect(third).toMatchObject({ after: 8, refusals: 2 });
      const stood =
        kind === 'not found'
          ? forgetRefusal({ ...third, doubted: true }, contradicted)
          : forgetRefusal(third, refused('Forbidden'));
      expect(stood).toEqual({ ...startOwnLists(), after: 5 });
    },
  );

  test('of one list alone is not permitted; of several in a row it is a failure', () => {
    const one = recoverOwnList(inHand, 'Forbidden');
    expect(one).toMatchObject({
      position: { after: 7, inHand: null, refusals: 1 },
      end: { number: 7, outcome: 'not_permitted', live: null },
    });
    expect(recoverOwnList({ ...inHand, refusals: 2 }, 'Forbidden')).toBeUndefined();
    expect(recoverOwnList(inHand, 'ScopeMissing')).toBeUndefined();
    expect(behindOwnPage({ ...inHand, refusals: 2 }, page([], null, 0), 'x').position.refusals).toBe(0);
  });
});
