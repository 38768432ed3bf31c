import { z } from 'zod';
import { collectParticipants } from '../model/generatePullRequest.ts';
import type { Repository } from '../model/entities.ts';
import type { Activity, PullRequest, PullRequestState, Update } from '../model/pullRequest.ts';
import { STATES } from '../model/pullRequest.ts';
import type { Host } from '../rest/host.ts';
import { personFor, pullRequestFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError } from './mutation.ts';

const target = { repository: z.string(), number: z.number().int() };
const user = z.string().nullable().default('admin');

/** Comments made by mutations have ids above every generated one. */
const FIRST_COMMENT_ID = 6_000_000_000;

const CLOSED_AS: Partial<Record<PullRequestState, string>> = {
  OPEN: 'open',
  MERGED: 'fulfilled',
  DECLINED: 'rejected',
  SUPERSEDED: 'superseded',
};

/** Changes of pull requests, their verdicts and comments. Each moves the activity as the real host would. */
export function pullRequestMutations(host: Host): Record<string, Mutation> {
  let nextCommentId = FIRST_COMMENT_ID;
  const now = (): number => host.clock.nowMs() * 1000 + 421;

  function edit(repository: Repository, number: number, change: (pullRequest: PullRequest) => void): void {
    pullRequestFor(repository, number);
    repository.pullRequests.change(number, (pullRequest) => {
      change(pullRequest);
      pullRequest.activity.sort((left, right) => left.at - right.at);
      pullRequest.participants = collectParticipants(pullRequest.reviewers, pullRequest.activity);
    });
  }

  function updateOf(
    pullRequest: PullRequest,
    person: Update['person'],
    changes: Update['changes'],
  ): Activity {
    const { state, title, description, draft, reviewers, reason } = pullRequest;
    const date = now();
    return {
      kind: 'update',
      at: date,
      update: { state, title, description, draft, reviewers, reason, person, changes, date },
    };
  }

  const verdict = (kind: 'approval' | 'changes_requested'): Mutation =>
    mutation(z.strictObject({ ...target, user }), (input) => {
      const repository = repositoryFor(host, input.repository);
      const person = personFor(host, input.user);
      if (person === null) throw new MutationError('a verdict needs a user');
      edit(repository, input.number, (pullRequest) => {
        pullRequest.activity.push({ kind, at: now(), person });
      });
      return {};
    });

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
      (input) => {
        edit(repositoryFor(host, input.repository), input.number, (pullRequest) => {
          const changes: Update['changes'] = {};
          if (input.title !== undefined) changes.title = { old: pullRequest.title, new: input.title };
          if (input.description !== undefined) {
            changes.description = { old: pullRequest.description, new: input.description };
          }
          if (input.state !== undefined) {
            changes.status = { old: CLOSED_AS[pullRequest.state], new: CLOSED_AS[input.state] };
          }
          pullRequest.title = input.title ?? pullRequest.title;
          pullRequest.description = input.description ?? pullRequest.description;
          pullRequest.draft = input.draft ?? pullRequest.draft;
          pullRequest.state = input.state ?? pullRequest.state;
          const person = personFor(host, input.user);
          if (input.state !== undefined) pullRequest.closedBy = input.state === 'OPEN' ? null : person;
          const entry = updateOf(pullRequest, person, changes);
          pullRequest.updatedOn = entry.at;
          pullRequest.activity.push(entry);
        });
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
        destination: z.string().default('main'),
        reviewers: z.array(z.string()).default([]),
      }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const hash = async (branch: string) =>
          (await host.git.commit(repository.gitKey, branch))?.hash ?? null;
        const [source, destination] = await Promise.all([hash(input.source), hash(input.destination)]);
        if (source === null) throw new MutationError(`no branch ${input.source}`);
        const reviewers = input.reviewers
          .map((key) => personFor(host, key))
          .filter((person) => person !== null);
        const made = repository.pullRequests.add((number) => {
          const author = personFor(host, input.user);
          const pullRequest: PullRequest = {
            number,
            title: input.title,
            description: input.description,
            state: 'OPEN',
            draft: false,
            author,
            closedBy: null,
            reason: '',
            createdOn: now(),
            updatedOn: now(),
            source: { branch: input.source, hash: source, repository: 'here' },
            destination: { branch: input.destination, hash: destination, repository: 'here' },
            mergeHash: null,
            closeSourceBranch: false,
            taskCount: 0,
            reviewers,
            participants: collectParticipants(reviewers, []),
            comments: [],
            activity: [],
          };
          pullRequest.activity.push(updateOf(pullRequest, author, {}));
          return pullRequest;
        });
        return { number: made.number };
      },
    ),
    'pull_request.approve': verdict('approval'),
    'pull_request.request_changes': verdict('changes_requested'),
    'pull_request.unapprove': mutation(z.strictObject({ ...target, user }), (input) => {
      const person = personFor(host, input.user);
      edit(repositoryFor(host, input.repository), input.number, (pullRequest) => {
        pullRequest.activity = pullRequest.activity.filter(
          (entry) => !(entry.kind === 'approval' && entry.person.uuid === person?.uuid),
        );
      });
      return {};
    }),
    'activity.remove': mutation(
      z.strictObject({ ...target, position: z.number().int().default(0) }),
      (input) => {
        edit(repositoryFor(host, input.repository), input.number, (pullRequest) => {
          pullRequest.activity.splice(input.position, 1);
        });
        return {};
      },
    ),
    'comment.add': mutation(
      z.strictObject({
        ...target,
        user,
        raw: z.string(),
        parent: z.number().nullable().default(null),
        path: z.string().nullable().default(null),
        line: z.number().nullable().default(null),
      }),
      (input) => {
        const id = nextCommentId++;
        edit(repositoryFor(host, input.repository), input.number, (pullRequest) => {
          const at = now();
          const comment = {
            id,
            raw: input.raw,
            person: personFor(host, input.user),
            createdOn: at,
            updatedOn: at,
            deleted: false,
            parentId: input.parent,
            inline: input.path === null ? null : { path: input.path, from: null, to: input.line },
            resolution: null,
          };
          pullRequest.comments.push(comment);
          pullRequest.activity.push({ kind: 'comment', at, comment });
          pullRequest.updatedOn = at;
        });
        return { id };
      },
    ),
    'comment.edit': mutation(z.strictObject({ ...target, comment: z.number(), raw: z.string() }), (input) => {
      changeComment(input, (comment) => {
        comment.raw = input.raw;
      });
      return {};
    }),
    'comment.delete': mutation(z.strictObject({ ...target, comment: z.number() }), (input) => {
      changeComment(input, (comment) => {
        comment.raw = '';
        comment.deleted = true;
      });
      return {};
    }),
  };

  /** Posting, editing and deleting all move the pull request's `updated_on` (facts 3.7). */
  function changeComment(
    input: { repository: string; number: number; comment: number },
    change: (comment: PullRequest['comments'][number]) => void,
  ): void {
    edit(repositoryFor(host, input.repository), input.number, (pullRequest) => {
      const comment = pullRequest.comments.find((entry) => entry.id === input.comment);
      if (comment === undefined) throw new MutationError(`no comment ${input.comment}`);
      change(comment);
      comment.updatedOn = now();
      pullRequest.updatedOn = comment.updatedOn;
    });
  }
}
