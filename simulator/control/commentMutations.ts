import { z } from 'zod';
import type { Person } from '../model/people.ts';
import type { Comment } from '../model/pullRequest.ts';
import type { Micros } from '../model/time.ts';
import { commentPart, pullRequestPart } from '../webhooks/eventParts.ts';
import { changePullRequest } from './changePullRequest.ts';
import { personFor, pullRequestFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError, type MutationTools } from './mutation.ts';

const target = { repository: z.string(), number: z.number().int() };
const user = z.string().nullable().default('admin');
const one = z.strictObject({ ...target, user, comment: z.number() });
type Target = z.infer<typeof one>;

/** Comments made by mutations have ids above every generated one. */
const FIRST_COMMENT_ID = 6_000_000_000;

/** Comments come, change and go; each time the pull request's `updated_on` moves too (facts 3.7). */
export function commentMutations({ host, events }: MutationTools): Record<string, Mutation> {
  let nextCommentId = FIRST_COMMENT_ID;

  async function change(
    input: Target,
    event: string,
    edit: (comment: Comment, at: Micros, person: Person | null) => void,
  ): Promise<object> {
    const repository = repositoryFor(host, input.repository);
    const actor = personFor(host, input.user);
    const { comments } = pullRequestFor(repository, input.number);
    const comment = comments.find((entry) => entry.id === input.comment);
    if (comment === undefined) throw new MutationError(`no comment ${input.comment}`);
    const pullRequest = changePullRequest(repository, input.number, (edited) => {
      const at = host.clock.nextMicros();
      edit(comment, at, actor);
      comment.updatedOn = at;
      edited.updatedOn = at;
    });
    await events.tell(`pullrequest:comment_${event}`, { repository, actor }, () => ({
      ...commentPart(host, repository, pullRequest, comment),
      ...pullRequestPart(host, repository, pullRequest),
    }));
    return {};
  }

  return {
    'comment.add': mutation(
      z.strictObject({
        ...target,
        user,
        raw: z.string(),
        parent: z.number().nullable().default(null),
        path: z.string().nullable().default(null),
        line: z.number().nullable().default(null),
      }),
      async (input) => {
        const repository = repositoryFor(host, input.repository);
        const actor = personFor(host, input.user);
        const at = host.clock.nextMicros();
        const comment: Comment = {
          id: nextCommentId++,
          raw: input.raw,
          person: actor,
          createdOn: at,
          updatedOn: at,
          deleted: false,
          parentId: input.parent,
          inline: input.path === null ? null : { path: input.path, from: null, to: input.line },
          resolution: null,
        };
        const pullRequest = changePullRequest(repository, input.number, (edited) => {
          edited.comments.push(comment);
          edited.activity.push({ kind: 'comment', at, comment });
          edited.updatedOn = at;
        });
        await events.tell('pullrequest:comment_created', { repository, actor }, () => ({
          ...commentPart(host, repository, pullRequest, comment),
          ...pullRequestPart(host, repository, pullRequest),
        }));
        return { id: comment.id };
      },
    ),
    'comment.edit': mutation(one.extend({ raw: z.string() }), (input) =>
      change(input, 'updated', (comment) => {
        comment.raw = input.raw;
      }),
    ),
    'comment.delete': mutation(one, (input) =>
      change(input, 'deleted', (comment) => {
        comment.raw = '';
        comment.deleted = true;
      }),
    ),
    'comment.resolve': mutation(one, (input) =>
      change(input, 'resolved', (comment, at, person) => {
        if (person === null) throw new MutationError('who resolves it?');
        comment.resolution = { person, createdOn: at };
      }),
    ),
    'comment.reopen': mutation(one, (input) =>
      change(input, 'reopened', (comment) => {
        comment.resolution = null;
      }),
    ),
  };
}
