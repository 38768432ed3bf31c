import { expect, it } from 'vitest';
import { createUsefulAnswers, type SentRequest } from '../../../activities/bitbucket/usefulAnswers.ts';

const WINDOW = { accountKey: 'one', group: 'repository_data' };
const sent = (more: Partial<SentRequest>): SentRequest => ({
  ...WINDOW,
  method: 'GET',
  asked: '/list',
  status: 200,
  bytes: Buffer.from('{}'),
  ...more,
});

function answers() {
  const clock = { ms: 0 };
  const useful = createUsefulAnswers({ windowMs: 3_600_000, now: () => clock.ms });
  return { clock, useful };
}

it.each([
  ['a page', [{}], 1],
  ['the same page again', [{}, {}], 1],
  ['the same page, changed', [{}, { bytes: Buffer.from('{"a":1}') }], 2],
  ['the same page for another form', [{}, { method: 'POST', asked: '/list q=1' }], 2],
  ['unchanged', [{}, { status: 304, bytes: Buffer.alloc(0) }], 1],
  ['a redirect and where it leads', [{ status: 302 }, { asked: '/moved' }], 1],
  ['refused, failed, unanswered', [{ status: 403 }, { status: 502 }, { status: null, bytes: null }], 0],
  ['a page behind a failure of it', [{ status: 500 }, {}], 1],
  [
    'a removal, twice',
    [
      { method: 'DELETE', status: 204 },
      { method: 'DELETE', status: 204 },
    ],
    2,
  ],
] as [string, Partial<SentRequest>[], number][])('useful is %s', (_, requests, useful) => {
  const { useful: counted } = answers();
  for (const request of requests) counted.note(sent(request));
  expect(counted.of(WINDOW)).toEqual({ sent: requests.length, useful });
});

it('is counted for each account and limit, and leaves the window with it', () => {
  const { clock, useful } = answers();
  useful.note(sent({}));
  useful.note(sent({ accountKey: 'two' }));
  clock.ms = 1_800_000;
  useful.note(sent({ status: 500 }));
  useful.note(sent({ group: 'other', asked: '/user' }));
  expect(useful.of(WINDOW)).toEqual({ sent: 2, useful: 1 });
  expect(useful.all()).toHaveLength(3);
  clock.ms = 3_600_000;
  expect(useful.of(WINDOW)).toEqual({ sent: 1, useful: 0 });
  clock.ms = 7_200_000;
  expect(useful.all()).toEqual([]);
  // The page is known all the same.
  useful.note(sent({}));
  expect(useful.of(WINDOW)).toEqual({ sent: 1, useful: 0 });
});
