import { expect, test } from 'vitest';
import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import { type Asked, learn, nextQuestion, type Question } from '../../../activities/estimate/questions.ts';
import { factsSchema } from '../../../forecast/facts.ts';
import { requestsInAll } from '../../../forecast/importEstimate.ts';
import { estimateRepository } from '../../../forecast/repositoryEstimate.ts';
import { requestsOf, totalOf } from '../../../forecast/requests.ts';
import { generatePullRequest } from '../../../simulator/model/generatePullRequest.ts';
import { createContributors, type Person } from '../../../simulator/model/people.ts';
import { type Activity, commentCount, type PullRequest } from '../../../simulator/model/pullRequest.ts';
import { planPullRequest } from '../../../simulator/model/pullRequestPlan.ts';
import { createPullRequests, type PullRequests } from '../../../simulator/model/pullRequests.ts';
import { formatMicros, HOUR } from '../../../simulator/model/time.ts';
import type { Service } from '../../../workflows/words.ts';

/** The simulator's pull requests without git or a server behind them. */
function repository(seed: number, count: number, mix: { shortFeedEvery: number } | undefined): PullRequests {
  const contributors = createContributors(seed, 40);
  const start = Date.UTC(2021, 1, 1) * 1_000;
  return createPullRequests(count, (number) => {
    const opened = start + number * 3 * HOUR;
    const isMerged = planPullRequest(seed, number, count).state === 'MERGED';
    const git = {
      sourceHash: 'a',
      destinationHash: 'b',
      mergeHash: null,
      firstCommit: opened,
      lastCommit: opened,
      merged: isMerged ? opened + (1 + ((number * 7_919) % 60)) * HOUR : null,
      author: undefined,
      mergedBy: undefined,
      branch: '',
      destinationBranch: 'main',
      title: undefined,
      description: undefined,
    };
    const given = { seed, number, total: count, commentBase: 1_000, git, contributors };
    return generatePullRequest(mix === undefined ? given : { ...given, mix });
  });
}

const user = (person: Person | null) => (person === null ? null : { uuid: person.uuid });

const shown = (pullRequest: PullRequest) => ({
  id: pullRequest.number,
  state: pullRequest.state,
  comment_count: commentCount(pullRequest),
  created_on: formatMicros(pullRequest.createdOn),
  participants: pullRequest.participants.map(({ approved, state }) => ({ approved, state })),
});

function entry(pullRequest: PullRequest, activity: Activity): object {
  const head = { pull_request: { id: pullRequest.number } };
  switch (activity.kind) {
    case 'none':
      return head;
    case 'comment': {
      const { id, person, createdOn, deleted } = activity.comment;
      return { ...head, comment: { id, user: user(person), created_on: formatMicros(createdOn), deleted } };
    }
    case 'update': {
      const { date, person, state } = activity.update;
      return { ...head, update: { date: formatMicros(date), author: user(person), state } };
    }
    default:
      return { ...head, [activity.kind]: { date: formatMicros(activity.at), user: user(activity.person) } };
  }
}

function answer(pullRequests: PullRequests, { about, path }: Question): BitbucketAnswer {
  const of = (number: number): PullRequest => pullRequests.get(number)!;
  const { count } = pullRequests;
  const feed = pullRequests.feed();
  const page = (length: number, value: (index: number) => object) =>
    Array.from({ length: Math.min(50, length) }, (_, index) => value(index));
  const numbers = /IN \(([\d,]+)\)/.exec(decodeURIComponent(path))?.[1]?.split(',').map(Number) ?? [];
  const json =
    about === 'list'
      ? { size: count, values: page(count, (index) => shown(of(count - index))) }
      : about === 'spread'
        ? { values: numbers.map((number) => shown(of(number))) }
        : {
            values: page(feed.size, (index) => {
              const { number, index: position } = feed.place(index);
              return entry(of(number), of(number).activity[position]!);
            }),
            next: feed.size > 50 ? 'https://bitbucket.example/next' : null,
          };
  const bytes = Buffer.from(JSON.stringify(json));
  return { status: 200, json, bytes, observedAt: '2026-11-25T12:00:00Z', date: undefined, scopes: {} };
}

const services: Service[] = ['repositories', 'pull_requests'];

/** Requests by the estimate, and by what is really there. */
function compared(seed: number, pullRequests: PullRequests, hidden: number) {
  const asked: Asked = {
    fullName: `acme/api-${String(seed)}`,
    services,
    hasIssues: false,
    trackersGone: false,
    since: { pullRequests: null, activity: null, tickets: null },
  };
  let facts = factsSchema.parse({});
  let questions = 0;
  for (let next = nextQuestion(facts, asked); next !== null; next = nextQuestion(facts, asked)) {
    facts = learn(facts, next, answer(pullRequests, next), asked);
    questions += 1;
  }
  const streams = estimateRepository(facts, {
    services,
    commitSource: 'git',
    sizeBytes: 1_000_000,
    hasIssues: false,
    since: null,
    foundEmpty: [],
    trackersGone: false,
    otherFeeds: [],
    knownDensity: null,
  });
  const activity = pullRequests.feed().size;
  const truth = {
    history: null,
    pullRequests: pullRequests.count,
    activity,
    feedGone: false,
    ownActivity: 0,
    ownComments: hidden,
    tracker: 'known_off' as const,
    tickets: 0,
    commentRequests: 0,
    changeRequests: 0,
    whole: true,
    foundEmpty: [],
  };
  return {
    questions,
    estimated: requestsInAll(streams).expected,
    actual: totalOf(requestsOf(truth, { services })),
    entries: streams.find(({ stream }) => stream === 'pull_request_activity')!.records,
    activity,
  };
}

test.each([
  ['with a heavy tail of comments', 600, { shortFeedEvery: 200 }],
  ['with ordinary discussions', 300, undefined],
  ['of one page and a bit', 60, undefined],
  ['that is small', 12, undefined],
] as const)('three requests about a repository %s tell its requests within 15 %%', (_, count, mix) => {
  for (let seed = 1; seed <= 6; seed += 1) {
    const hidden = mix === undefined ? 0 : Math.floor(count / mix.shortFeedEvery);
    const told = compared(seed, repository(seed * 17, count, mix), hidden);
    expect(told.questions).toBeLessThanOrEqual(3);
    const off = Math.abs(told.estimated - told.actual) / told.actual;
    expect(off, `seed ${seed}: ${told.estimated} for ${told.actual}`).toBeLessThanOrEqual(0.15);
    expect(told.activity).toBeGreaterThanOrEqual(told.entries.low);
    expect(told.activity).toBeLessThanOrEqual(told.entries.high);
  }
});
