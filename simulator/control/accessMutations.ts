import { z } from 'zod';
import type { Host } from '../rest/host.ts';
import { personFor, repositoryFor, workspaceFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError } from './mutation.ts';

/** Who may do what. */
export function accessMutations(host: Host): Record<string, Mutation> {
  return {
    /** A person's right in a workspace or repository; null takes it away. */
    'user.right': mutation(
      z.strictObject({
        user: z.string(),
        workspace: z.string().optional(),
        repository: z.string().optional(),
        right: z.enum(['owner', 'create-project', 'member', 'read', 'write', 'admin']).nullable(),
      }),
      (input) => {
        const person = personFor(host, input.user);
        if (person === null) throw new MutationError('whose right?');
        const { right } = input;
        if (input.repository !== undefined) {
          const { grants } = repositoryFor(host, input.repository);
          if (right === 'read' || right === 'write' || right === 'admin') {
            grants.set(person.uuid, { person, right });
          } else grants.delete(person.uuid);
          return {};
        }
        const { members } = workspaceFor(host, input.workspace ?? '');
        if (right === 'owner' || right === 'create-project' || right === 'member') {
          members.set(person.uuid, { person, right });
        } else members.delete(person.uuid);
        return {};
      },
    ),
  };
}
