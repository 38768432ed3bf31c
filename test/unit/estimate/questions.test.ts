import { expect, test } from 'vitest';
import { type Asked, learn, nextQuestion } from '../../../activities/estimate/questions.ts';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import { factsSchema, type RepositoryFacts } from '../../../forecast/facts.ts';
import { SERVICES } from '../../../workflows/words.ts';

const asked = (given: Partial<Asked> = {}): Asked => ({
  fullName: 'acme/api',
  services: SERVICES,
  hasIssues: null,
  trackersGone: false,
  since: { pullRequests: null, activity: null, tickets: null },
  ...given,
});
const nothing = (): RepositoryFacts => factsSchema.parse({});
const answerOf = (json: object): BitbucketAnswer => ({
  status: 200,
  json,
  bytes: Buffer.from(JSON.stringify(json)),
  observedAt: '2026-11-25T12:00:00.000000Z',
  date: undefined,
  scopes: {},
});
const pullRequest = (id: number, more: object = {}) => ({
  id,
  state: 'MERGED',
  comment_count: 3,
  created_on: `2026-11-${String(1 + (id % 28)).padStart(2, '0')}T10:00:00+00:00`,
  participants: [
    { approved: true, state: 'approved' },
    { approved: false, state: null },
  ],
  ...more,
});
const listOf = (highest: number, size = highest) => ({
  size,
  values: Array.from({ length: Math.min(50, size) }, (_, index) => pullRequest(highest - index)),
});

/** What is asked about a repository with these answers, one after the other. */
function interview(given: Partial<Asked>, answers: Record<string, object>) {
  const who = asked(given);
  let facts = nothing();
  const abouts: string[] = [];
  const paths: string[] = [];
  for (let question = nextQuestion(facts, who); question !== null; question = nextQuestion(facts, who)) {
    abouts.push(question.about);
    paths.push(decodeURIComponent(question.path));
    facts = learn(facts, question, answerOf(answers[question.about]!), who);
    if (abouts.length > 9) throw new Error('it does not end');
  }
  return { abouts, paths, facts };
}

const FEED = { values: [], next: null };

test('a small repository is asked for its list and its activity, with a tracker also for that', () => {
  const answers = { list: listOf(20), feed: FEED, tickets: { size: 7, values: [] } };
  expect(interview({ services: ['pull_requests'] }, answers).abouts).toEqual(['list', 'feed']);
  const { abouts, facts } = interview({}, answers);
  expect(abouts).toEqual(['list', 'tickets', 'feed']);
  expect(facts).toMatchObject({ tickets: 7, list: { size: 20, lowest: 1 } });
});

test('a large one is asked for pull requests of all years: 50 different ones behind the newest page', () => {
  const spread = {
    values: [pullRequest(1), pullRequest(2, { state: 'OPEN', comment_count: 0, participants: [] })],
  };
  const { abouts, paths, facts } = interview(
    { services: ['pull_requests'] },
    { list: listOf(5_000), spread, feed: FEED },
  );
  expect(abouts).toEqual(['list', 'spread', 'feed']);
  const numbers = [...paths[1]!.matchAll(/\bid=(\d+)/g)].map(([, id]) => Number(id));
  expect(new Set(numbers).size).toBe(50);
  expect(Math.max(...numbers)).toBeLessThanOrEqual(4_950);
  // one of each fiftieth of them
  numbers.forEach((number, part) => {
    expect(number).toBeGreaterThan(part * 99);
    expect(number).toBeLessThanOrEqual((part + 1) * 99);
  });
  expect(facts.spread).toEqual([
    { comments: 3, votes: 1, closed: true },
    { comments: 0, votes: 0, closed: false },
  ]);
});

test('never are more than three requests made, and none for what is known', () => {
  const answers = { list: listOf(5_000), spread: listOf(9), feed: FEED, tickets: { size: 7, values: [] } };
  expect(interview({}, answers).abouts).toEqual(['list', 'tickets', 'spread']);
  expect(interview({ hasIssues: false }, answers).abouts).toEqual(['list', 'spread', 'feed']);
  expect(interview({ trackersGone: true }, answers).abouts).toEqual(['list', 'spread', 'feed']);
  expect(interview({ services: ['repositories'] }, answers).abouts).toEqual([]);
  expect(interview({ services: ['tickets'] }, answers).abouts).toEqual(['tickets']);
  expect(interview({ services: ['pull_requests'] }, { list: { size: 0, values: [] } }).abouts).toEqual([
    'list',
  ]);
});

test('of an imported repository only what changed since its watermark is asked for', () => {
  const since = { pullRequests: '2026-11-20 10:00:00+00', activity: '2026-11-20 10:00:00+00', tickets: null };
  const { paths } = interview(
    { services: ['pull_requests'], since },
    { list: listOf(5_000, 200), feed: FEED },
  );
  expect(paths[0]).toContain('updated_on>=2026-11-20T09:55:00');
  expect(paths).toHaveLength(2);
});

test('the activity tells what must be in it, what else there is, and how far it reaches', () => {
  const at = (minute: number): string => `2026-11-20T10:${String(minute).padStart(2, '0')}:00.000000+00:00`;
  const user = { type: 'user', uuid: '{0f0f0f0f-0000-4000-8000-000000000001}' };
  const comment = (id: number, deleted: boolean) => ({ id, user, created_on: at(3), deleted });
  const values = [
    { pull_request: { id: 8 }, approval: { date: at(9), user } },
    { pull_request: { id: 8 }, update: { date: at(8), author: user, state: 'MERGED' } },
    { pull_request: { id: 8 }, approval: { date: at(7), user } },
    { pull_request: { id: 8 }, comment: comment(5, false) },
    { pull_request: { id: 8 }, comment: comment(6, true) },
    { pull_request: { id: 8 }, update: { date: at(2), author: user, state: 'OPEN' } },
    { pull_request: { id: 8 }, update: { date: at(1), author: user, state: 'OPEN' } },
    { pull_request: { id: 7 } },
  ];
  const list = {
    size: 2,
    values: [
      pullRequest(8, { created_on: at(1) }),
      pullRequest(7, { created_on: '2026-11-01T00:00:00+00:00' }),
    ],
  };
  const next = 'https://api.bitbucket.org/2.0/next';
  const { facts } = interview({ services: ['pull_requests'] }, { list, feed: { values, next } });
  expect(facts.feed).toEqual({
    whole: false,
    entries: 8,
    comments: 1,
    deletedComments: 1,
    // the second vote of the same person on the same pull request is something else
    votes: 1,
    // opened once, merged once: the push between looks like an opening and is none
    turns: 2,
    fresh: 8,
    newest: '2026-11-20T10:09:00.000Z',
    oldest: '2026-11-20T10:01:00.000Z',
  });
});

test('an answer of another shape is no empty list', () => {
  const question = nextQuestion(nothing(), asked())!;
  expect(() => learn(nothing(), question, answerOf({ error: 'no' }), asked())).toThrow('list');
});
