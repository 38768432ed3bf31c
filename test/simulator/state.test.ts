import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, stateLines, type Shown } from './client.ts';

const ALL = 'state=OPEN&state=MERGED&state=DECLINED&state=SUPERSEDED';

describe('the canonical truth', () => {
  let simulator: Simulator;
  let client: ReturnType<typeof createClient>;
  let lines: Shown[];
  beforeAll(async () => {
    simulator = await createSimulator({ era: 'guide', limit: 0 });
    client = createClient(simulator, 'api_token.admin');
    lines = await stateLines(simulator);
  });
  afterAll(() => simulator.close());

  const of = (kind: string, repository?: string) =>
    lines.filter(
      (line) => line.kind === kind && (repository === undefined || line.repository === repository),
    );

  it('has the repositories that the lists of all workspaces show', async () => {
    const listed: Shown[] = [];
    for (const access of await client.walk('/user/workspaces')) {
      listed.push(...(await client.walk(`/repositories/${access.workspace.slug}`)));
    }
    const shown = listed.map(({ uuid, full_name, updated_on }) => ({ uuid, full_name, updated_on }));
    const known = of('repository').map(({ repository, full_name, updated_on }) => ({
      uuid: repository,
      full_name,
      updated_on,
    }));
    expect(shown).toEqual(known);
    expect(of('workspace').map((line) => line.workspace)).toHaveLength(2);
    expect(of('project')).toHaveLength(3);
  });

  it('has the pull requests, participants, activity and comments that a naive walk finds', async () => {
    for (const { repository, full_name } of of('repository')) {
      const base = `/repositories/${full_name}/pullrequests`;
      const walked = await client.walk(
        `${base}?${ALL}&pagelen=50&fields=%2Bvalues.participants,%2Bvalues.reviewers`,
      );
      expect(
        walked.toReversed().map((entry) => ({
          number: entry.id,
          title: entry.title,
          description: entry.description,
          state: entry.state,
          author: entry.author?.uuid ?? null,
          source: entry.source.commit?.hash ?? null,
          merge: entry.merge_commit?.hash ?? null,
          comments: entry.comment_count,
          reviewers: entry.reviewers.map((person: Shown) => person.uuid),
          updated_on: entry.updated_on,
        })),
      ).toEqual(
        of('pull_request', repository).map((line) => ({
          number: line.number,
          title: line.title,
          description: line.description,
          state: line.state,
          author: line.author,
          source: line.source_commit,
          merge: line.merge_commit,
          comments: line.comment_count,
          reviewers: line.reviewers,
          updated_on: line.updated_on,
        })),
      );
      const participants = walked.flatMap((entry) =>
        entry.participants.map((row: Shown) => [entry.id, row.user.uuid, row.state, row.participated_on]),
      );
      expect(new Set(participants.map(String))).toEqual(
        new Set(
          of('participant', repository).map((line) =>
            String([line.pull_request, line.user, line.state, line.participated_on]),
          ),
        ),
      );
      const feed = await client.walk(`${base}/activity?pagelen=50`);
      const key = (number: number, kind: string, date: string | null) => `${number} ${kind} ${date}`;
      const seen = feed.map((entry) => {
        const { pull_request, update, approval, changes_requested, comment } = entry;
        if (update) return key(pull_request.id, 'update', update.date);
        if (approval) return key(pull_request.id, 'approval', approval.date);
        if (changes_requested) return key(pull_request.id, 'changes_requested', changes_requested.date);
        if (comment) return key(pull_request.id, 'comment', comment.created_on);
        return key(pull_request.id, 'none', null);
      });
      expect(seen.toSorted()).toEqual(
        of('activity', repository)
          .map((line) => key(line.pull_request, line.entry, line.date))
          .toSorted(),
      );
      const comments: Shown[] = [];
      for (const { id } of walked) {
        for (const comment of await client.walk(`${base}/${id}/comments`))
          comments.push([comment.id, comment.content.raw]);
      }
      expect(comments.toSorted((a, b) => a[0] - b[0])).toEqual(
        of('comment', repository)
          .map((line) => [line.id, line.raw])
          .toSorted((a, b) => (a[0] as number) - (b[0] as number)),
      );
    }
  });

  it('has the commits, branches, tags and tickets too', async () => {
    for (const { repository, full_name, has_tracker } of of('repository')) {
      const base = `/repositories/${full_name}`;
      const commits = await client.walk(`${base}/commits?pagelen=100`);
      expect(new Set(commits.map((commit) => commit.hash))).toEqual(
        new Set(of('commit', repository).map((line) => line.hash)),
      );
      const branches = await client.walk(`${base}/refs/branches?pagelen=100`);
      expect(branches.map((branch) => [branch.name, branch.target.hash])).toEqual(
        of('branch', repository).map((line) => [line.name, line.target]),
      );
      const tags = await client.walk(`${base}/refs/tags`);
      expect(tags.map((tag) => tag.name)).toEqual(of('tag', repository).map((line) => line.name));
      const tracker = await client.get(`${base}/issues`);
      expect(tracker.status).toBe(has_tracker ? 200 : 404);
      if (!has_tracker) continue;
      const tickets = await client.walk(`${base}/issues?pagelen=100`);
      expect(tickets.toReversed().map((ticket) => [ticket.id, ticket.title, ticket.content.raw])).toEqual(
        of('ticket', repository).map((line) => [line.number, line.title, line.raw]),
      );
    }
  });

  it('holds the odd data on purpose', () => {
    const pulls = of('pull_request');
    expect(new Set(pulls.map((line) => line.state))).toEqual(
      new Set(['OPEN', 'MERGED', 'DECLINED', 'SUPERSEDED']),
    );
    expect(pulls.some((line) => line.author === null)).toBe(true);
    expect(pulls.some((line) => line.source_repository === null)).toBe(true);
    expect(pulls.some((line) => line.destination_commit === null)).toBe(true);
    expect(pulls.some((line) => line.title.includes('\0') || /\p{Surrogate}/u.test(line.title))).toBe(true);
    const comments = of('comment');
    expect(comments.some((line) => line.deleted)).toBe(true);
    expect(comments.some((line) => line.parent !== null)).toBe(true);
    expect(comments.some((line) => line.path !== null)).toBe(true);
    expect(comments.some((line) => line.resolved_on !== null)).toBe(true);
    expect(comments.some((line) => line.id > 2 ** 31)).toBe(true);
    expect(of('activity').some((line) => line.entry === 'none')).toBe(true);
    expect(of('ticket').some((line) => line.reporter === null)).toBe(true);
    expect(of('ticket_comment').some((line) => line.raw === null)).toBe(true);
  });

  it('is the same for the same seed, and another for another', async () => {
    const text = (all: Shown[]) => all.map((line) => JSON.stringify(line)).join('\n');
    const again = await createSimulator({ era: 'guide', limit: 0 });
    const other = await createSimulator({ era: 'guide', limit: 0, seed: 2 });
    try {
      expect(text(await stateLines(again))).toBe(text(lines));
      expect(text(await stateLines(other))).not.toBe(text(lines));
      const only = lines.find((line) => line.kind === 'repository').repository;
      expect(new Set((await stateLines(again, only)).map((line) => line.repository))).toEqual(
        new Set([only]),
      );
    } finally {
      await again.close();
      await other.close();
    }
  });
});
