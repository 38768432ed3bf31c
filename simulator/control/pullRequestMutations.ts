import { z } from 'zod';
import { collectParticipants } from '../model/generatePullRequest.ts';
import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { PullRequest, PullRequestState, Update } from '../model/pullRequest.ts';
import { STATES } from '../model/pullRequest.ts';
import { pullRequestPart } from '../webhooks/eventParts.ts';
import { changeGit } from './changeGit.ts';
import { changePullRequest, noteUpdate } from './changePullRequest.ts';
import { personFor, pullRequestFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError, type MutationTools } from './mutation.ts';

const target = { repository: z.string(), number: z.number().int() };
const user = z.string().nullable().default('admin');

const CLOSED_AS: Record<PullRequestState, string> = {
  OPEN: 'open',
  MERGED: 'fulfilled',
  DECLINED: 'rejected',
  SUPERSEDED: 'superseded',
};

function eventOf(before: PullRequestState, after: PullRequestState): string {
  if (before !== after && after === 'MERGED') return 'pullrequest:fulfilled';
  if (before !== after && after === 'DECLINED') return 'pullrequest:rejected';
  return 'pullrequest:updated';
}

function close(pullRequest: PullRequest, state: PullRequestState, person: Person | null): Update['changes'] {
  const changes = { status: { old: CLOSED_AS[pullRequest.state], new: CLOSED_AS[state] } };
  pullRequest.state = state;
  pullRequest.closedBy = state === 'OPEN' ? null : person;
  return changes;
}

/** Changes of pull requests themselves: each moves `updated_on` and the activity as the real host would. */
export function pullRequestMutations({ host, events }: MutationTools): Record<string, Mutation> {
  const people = (keys: string[]): Person[] =>
    keys.map((key) => personFor(host, key)).filter((person) => person !== null);

  const tell = (event: string, repository: Repository, pullRequest: PullRequest, actor: Person | null) =>
    events.tell(event, { repository, actor }, () => pullRequestPart(host, repository, pullRequest));

  function openOne(repository: Repository, number: number): PullRequest {
    const found = pullRequestFor(repository, number);
    if (found.state !== 'OPEN') throw new MutationError(`pull request ${number} is ${found.state}, not OPEN`);
    return found;
  }

  return {
    'pull_request.edit': mutation(
      z.strictObject({
        ...target,
        user,
        title: z.string().optional(),
        description: z.string().optional(),
        state: z.enum(STATES).optional(),
        draft: z.boolean().optional(),
      }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const person = personFor(host, input.user);
        const before = pullRequestFor(repository, input.number).state;
        const pullRequest = changePullRequest(repository, input.number, (edited) => {
          const changes: Update['changes'] = {};
          for (const field of ['title', 'description'] as const) {
            const value = input[field];
            if (value === undefined) continue;
            changes[field] = { old: edited[field], new: value };
            edited[field] = value;
          }
          edited.draft = input.draft ?? edited.draft;
          if (input.state !== undefined) Object.assign(changes, close(edited, input.state, person));
          noteUpdate(edited, host.clock.nextMicros(), person, changes);
        });
        await tell(eventOf(before, pullRequest.state), repository, pullRequest, person);
        return {};
      },
    ),
    'pull_request.create': mutation(
      z.strictObject({
        repository: z.string(),
        user,
        title: z.string(),
        description: z.string().default(''),
        source: z.string(),
        /** `gone`: a fork that nobody sees; the branch is here only for its commits, and may go at once. */
        source_repository: z.enum(['here', 'gone']).default('here'),
        destination: z.string().default('main'),
        reviewers: z.array(z.string()).default([]),
      }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const hash = async (branch: string) =>
          (await host.git.commit(repository.gitKey, branch))?.hash ?? null;
        const [source, destination] = await Promise.all([hash(input.source), hash(input.destination)]);
        if (source === null) throw new MutationError(`no branch ${input.source}`);
        const reviewers = people(input.reviewers);
        const author = personFor(host, input.user);
        const made = repository.pullRequests.add((number) => {
          const at = host.clock.nextMicros();
          const pullRequest: PullRequest = {
            number,
            title: input.title,
            description: input.description,
            state: 'OPEN',
            draft: false,
            author,
            closedBy: null,
            reason: '',
            createdOn: at,
            updatedOn: at,
            source: { branch: input.source, hash: source, repository: input.source_repository },
            destination: { branch: input.destination, hash: destination, repository: 'here' },
            mergeHash: null,
            closeSourceBranch: false,
            taskCount: 0,
            reviewers,
            participants: collectParticipants(reviewers, []),
            comments: [],
            activity: [],
          };
          noteUpdate(pullRequest, at, author, {});
          return pullRequest;
        });
        await tell('pullrequest:created', repository, made, author);
        return { number: made.number };
      },
    ),
    'pull_request.reviewers': mutation(
      z.strictObject({ ...target, user, reviewers: z.array(z.string()) }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const person = personFor(host, input.user);
        const reviewers = people(input.reviewers);
        const names = (list: Person[]): string[] => list.map(({ displayName }) => displayName);
        const pullRequest = changePullRequest(repository, input.number, (edited) => {
          const changes = { reviewers: { old: names(edited.reviewers), new: names(reviewers) } };
          edited.reviewers = reviewers;
          noteUpdate(edited, host.clock.nextMicros(), person, changes);
        });
        await tell('pullrequest:updated', repository, pullRequest, person);
        return {};
      },
    ),
    /** Merges the branches too, so that `main` has the merge commit. */
    'pull_request.merge': mutation(
      z.strictObject({
        ...target,
        user,
        message: z.string().optional(),
        squash: z.boolean().default(false),
        close_source: z.boolean().default(false),
      }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const { source, destination, title } = openOne(repository, input.number);
        const person = personFor(host, input.user);
        if (person === null) throw new MutationError('a merge needs a user');
        const branches = (await host.git.refs(repository.gitKey)).filter(({ kind }) => kind === 'branch');
        const isThere = branches.some(({ name }) => name === source.branch);
        const merged = await changeGit(
          { host, events },
          repository,
          {
            kind: 'merge',
            source: isThere ? source.branch : (source.hash ?? source.branch),
            destination: destination.branch,
            message:
              input.message ?? `Merged in ${source.branch} (pull request #${input.number})\n\n${title}\n`,
            author: { name: person.displayName, email: person.email },
            date: new Date(host.clock.nowMs()).toISOString(),
            squash: input.squash,
            closeSource: input.close_source && isThere,
          },
          person,
        );
        const pullRequest = changePullRequest(repository, input.number, (edited) => {
          edited.mergeHash = merged.newCommits.at(-1) ?? null;
          edited.closeSourceBranch = input.close_source;
          noteUpdate(edited, host.clock.nextMicros(), person, close(edited, 'MERGED', person));
        });
        await tell('pullrequest:fulfilled', repository, pullRequest, person);
        return { merge_commit: pullRequest.mergeHash };
      },
    ),
    'pull_request.decline': mutation(
      z.strictObject({ ...target, user, reason: z.string().default('') }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        openOne(repository, input.number);
        const person = personFor(host, input.user);
        const pullRequest = changePullRequest(repository, input.number, (edited) => {
          edited.reason = input.reason;
          noteUpdate(edited, host.clock.nextMicros(), person, close(edited, 'DECLINED', person));
        });
        await tell('pullrequest:rejected', repository, pullRequest, person);
        return {};
      },
    ),
    'activity.remove': mutation(
      z.strictObject({ ...target, position: z.number().int().default(0) }),
      (input) => {
        changePullRequest(repositoryFor(host, input.repository), input.number, (edited) => {
          edited.activity.splice(input.position, 1);
        });
        return {};
      },
    ),
  };
}
