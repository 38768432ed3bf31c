import { z } from 'zod';
import type { Repository } from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { PullRequest } from '../model/pullRequest.ts';
import type { Micros } from '../model/time.ts';
import { pullRequestPart, verdictPart } from '../webhooks/eventParts.ts';
import { changePullRequest } from './changePullRequest.ts';
import { personFor, pullRequestFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError, type MutationTools } from './mutation.ts';

const schema = z.strictObject({
  repository: z.string(),
  number: z.number().int(),
  user: z.string().nullable().default('admin'),
});

type Kind = 'approval' | 'changes_requested';
/** What an event calls what the activity calls otherwise. */
const PART = { approval: 'approval', changes_requested: 'changes_request' } as const;

/** Verdicts come and go in the activity; none of them moves `updated_on`. */
export function verdictMutations({ host, events }: MutationTools): Record<string, Mutation> {
  function target(input: z.infer<typeof schema>): { repository: Repository; person: Person } {
    const person = personFor(host, input.user);
    if (person === null) throw new MutationError('a verdict needs a user');
    return { repository: repositoryFor(host, input.repository), person };
  }

  const tell = (
    event: string,
    kind: Kind,
    place: { repository: Repository; person: Person; pullRequest: PullRequest; at: Micros },
  ): Promise<void> => {
    const { repository, person, pullRequest, at } = place;
    return events.tell(event, { repository, actor: person }, () => ({
      ...pullRequestPart(host, repository, pullRequest),
      ...verdictPart(host, PART[kind], at, person),
    }));
  };

  const give = (kind: Kind, event: string): Mutation =>
    mutation(schema, async (input) => {
      const { repository, person } = target(input);
      const at = host.clock.nextMicros();
      const pullRequest = changePullRequest(repository, input.number, (edited) => {
        edited.activity.push({ kind, at, person });
      });
      await tell(event, kind, { repository, person, pullRequest, at });
      return {};
    });

  const takeBack = (kind: Kind, event: string): Mutation =>
    mutation(schema, async (input) => {
      const { repository, person } = target(input);
      const isTheirs = (entry: PullRequest['activity'][number]): boolean =>
        entry.kind === kind && entry.person.uuid === person.uuid;
      if (!pullRequestFor(repository, input.number).activity.some(isTheirs)) {
        throw new MutationError(`${person.username} gave pull request ${input.number} no ${kind}`);
      }
      const at = host.clock.nextMicros();
      const pullRequest = changePullRequest(repository, input.number, (edited) => {
        edited.activity = edited.activity.filter((entry) => !isTheirs(entry));
      });
      await tell(event, kind, { repository, person, pullRequest, at });
      return {};
    });

  return {
    'pull_request.approve': give('approval', 'pullrequest:approved'),
    'pull_request.unapprove': takeBack('approval', 'pullrequest:unapproved'),
    'pull_request.request_changes': give('changes_requested', 'pullrequest:changes_request_created'),
    'pull_request.withdraw_changes': takeBack('changes_requested', 'pullrequest:changes_request_removed'),
  };
}
