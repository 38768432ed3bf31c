import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generatePullRequest } from '../../simulator/model/generatePullRequest.ts';
import { manyRepositoriesWorld, mixWorld, quietWorld } from '../../simulator/model/benchWorlds.ts';
import { createContributors } from '../../simulator/model/people.ts';
import { commentCount } from '../../simulator/model/pullRequest.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, stateLines } from './client.ts';

const TOTAL = 5_000;

function generate(shortFeedEvery: number) {
  const contributors = createContributors(1, 40);
  const day = 86_400_000_000;
  return Array.from({ length: TOTAL }, (_, index) => {
    const at = Date.UTC(2024, 0, 1) * 1_000 + index * day;
    const git = {
      sourceHash: 'a'.repeat(40),
      destinationHash: 'b'.repeat(40),
      mergeHash: null,
      firstCommit: at,
      lastCommit: at,
      merged: null,
      author: undefined,
      mergedBy: undefined,
      branch: 'x',
      destinationBranch: 'main',
      title: undefined,
      description: undefined,
    };
    const number = index + 1;
    const mix = { shortFeedEvery };
    return generatePullRequest({ seed: 1, number, total: TOTAL, commentBase: 0, git, contributors, mix });
  });
}

describe('the mix of the benchmarks', () => {
  it('has six entries a pull request on average, half of them comments, and a heavy tail', () => {
    const all = generate(0);
    const entries = all.reduce((sum, { activity }) => sum + activity.length, 0);
    const comments = all.reduce((sum, one) => sum + one.comments.length, 0);
    expect(entries / TOTAL).toBeGreaterThan(5.9);
    expect(entries / TOTAL).toBeLessThan(6.1);
    expect(comments / entries).toBeGreaterThan(0.47);
    expect(comments / entries).toBeLessThan(0.53);
    expect(all.filter(({ activity }) => activity.length > 60)).toHaveLength(TOTAL / 100);
    const ids = all.flatMap((one) => one.comments.map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('shows all comments but one in the activity of one pull request in 200', () => {
    const short = generate(200).filter((one) => {
      const shown = one.activity.filter((entry) => entry.kind === 'comment' && !entry.comment.deleted);
      return shown.length !== commentCount(one);
    });
    expect(short.length).toBeGreaterThanOrEqual(TOTAL / 200 - 2);
    expect(short.length).toBeLessThanOrEqual(TOTAL / 200);
    expect(short.map(({ hiddenActivity }) => hiddenActivity?.length)).toEqual(short.map(() => 1));
    expect(generate(0).every((one) => one.activity.length >= one.comments.length)).toBe(true);
  });

  it('has the entry of every vote and every end, so that nothing else looks incomplete', () => {
    for (const { participants, activity, state } of generate(200)) {
      for (const { person, state: vote } of participants.filter((one) => one.state !== null)) {
        const kind = vote === 'approved' ? 'approval' : 'changes_requested';
        expect(activity.some((entry) => entry.kind === kind && entry.person.uuid === person.uuid)).toBe(true);
      }
      if (state === 'OPEN') continue;
      expect(activity.some((entry) => entry.kind === 'update' && entry.update.state === state)).toBe(true);
    }
  });
});

describe('a simulator with a world to measure with', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await createSimulator({
      limit: 0,
      world: mixWorld({ pullRequests: 200, commits: 800, flawed: true }),
    });
  });
  afterAll(() => simulator.close());

  it('leaves the flawed comment out of both activity lists, and has it in the truth and among the comments', async () => {
    const lines = await stateLines(simulator);
    const entries = lines.filter(({ kind }) => kind === 'activity');
    const told = new Set(entries.map((line) => line.comment ?? null));
    expect(lines.filter((line) => line.kind === 'comment' && !told.has(line.id))).toEqual([]);
    const client = createClient(simulator, 'api_token.admin');
    const base = '/repositories/acme-rockets/flight-control/pullrequests';
    const feed = await client.walk(`${base}/activity?pagelen=50`);
    expect(feed).toHaveLength(entries.length - 1);
    const shown = new Set(feed.map((entry) => entry.comment?.id ?? null));
    const hidden = entries.filter((line) => !shown.has((line.comment as number | undefined) ?? null));
    expect(hidden.map((line) => line.pull_request)).toEqual([100]);
    const own = await client.walk(`${base}/100/activity?pagelen=50`);
    expect(own.map((entry) => entry.comment?.id)).not.toContain(hidden[0]?.comment);
    const comments = await client.walk(`${base}/100/comments?pagelen=100`);
    expect(comments.map(({ id }) => id)).toContain(hidden[0]?.comment);
    expect(lines.filter(({ kind }) => kind === 'commit')).toHaveLength(800);
  });

  it('gives as many small repositories as asked for', () => {
    const { repositories } = manyRepositoriesWorld(2_000);
    expect(new Set(repositories.map(({ slug }) => slug)).size).toBe(2_000);
    expect(Math.max(...repositories.map(({ pullRequests }) => pullRequests))).toBe(9);
  });
});

describe('a quiet host of 10,000 repositories', () => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await createSimulator({
      limit: 0,
      world: quietWorld({ repositories: 10_000, authors: 200 }),
    });
  });
  afterAll(() => simulator.close());

  it('has them all in one list, and their pull requests with 200 members', async () => {
    const client = createClient(simulator, 'api_token.admin');
    const first = (await client.get('/repositories/acme-rockets?sort=-updated_on&pagelen=100')).json;
    expect([first.size, first.values.length]).toEqual([10_000, 100]);
    const moments = first.values.map((one: { updated_on: string }) => one.updated_on);
    expect(moments).toEqual(moments.toSorted().toReversed());
    expect(new Set(moments).size).toBeGreaterThan(90);
    const members = await client.walk('/workspaces/acme-rockets/members?pagelen=100');
    const sizes: number[] = [];
    for (const { user } of members) {
      const path = `/workspaces/acme-rockets/pullrequests/${encodeURIComponent(user.uuid)}`;
      sizes.push((await client.get(`${path}?q=id>0&pagelen=1`)).json.size);
    }
    expect(sizes.filter((size) => size > 0).length).toBeGreaterThan(190);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(24_000);
  });

  it('gives a repository a git side of its own when it is pushed to', async () => {
    const [one, other] = ['quiet-00017', 'quiet-00021'].map((slug) => `acme-rockets/${slug}`);
    const client = createClient(simulator, 'api_token.admin');
    const head = async (repository: string | undefined) =>
      (await client.get(`/repositories/${repository}/refs/branches/main`)).json.target.hash;
    const before = await head(one);
    expect(await head(other)).toBe(before);
    const commits = [{ message: 'Alone\n', author: { name: 'Ada', email: 'ada@example.test' } }];
    await simulator.mutate({
      kind: 'git',
      repository: one,
      change: { kind: 'push', branch: 'main', commits },
    });
    expect(await head(one)).not.toBe(before);
    expect(await head(other)).toBe(before);
  });
});
