import { z } from 'zod';
import type { RepositoryChange } from '../git/repositoryChange.ts';
import type { Repository } from '../model/entities.ts';
import type { Host } from '../rest/host.ts';
import { findWorkspace } from '../rest/resolve.ts';
import { personFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError } from './mutation.ts';

const repository = z.string();

const GIT_CHANGES = new Set([
  'push',
  'createBranch',
  'deleteBranch',
  'createTag',
  'deleteTag',
  'merge',
  'collectGarbage',
]);

/** The git store refuses a wrong change itself; here only its kind is looked at. */
const gitChange = z.custom<RepositoryChange>((value) => {
  const change = z.looseObject({ kind: z.string() }).safeParse(value);
  return change.success && GIT_CHANGES.has(change.data.kind);
}, 'not a change of a repository');

/** Changes of repositories, their git side, and of who may see them. */
export function repositoryMutations(host: Host): Record<string, Mutation> {
  const touch = (changed: Repository): void => {
    changed.updatedOn = host.clock.nowMs() * 1000 + 3;
    host.repositories.forget(changed);
  };

  return {
    'repository.rename': mutation(z.strictObject({ repository, slug: z.string() }), (input) => {
      const changed = repositoryFor(host, input.repository);
      changed.formerSlugs.push(changed.slug);
      changed.slug = input.slug;
      changed.name = input.slug;
      touch(changed);
      return {};
    }),
    'repository.delete': mutation(z.strictObject({ repository }), (input) => {
      repositoryFor(host, input.repository).deleted = true;
      return {};
    }),
    'repository.restore': mutation(z.strictObject({ repository }), (input) => {
      repositoryFor(host, input.repository).deleted = false;
      return {};
    }),
    /** Pull requests and tickets as the seed made them. */
    'repository.reset': mutation(z.strictObject({ repository }), (input) => {
      const changed = repositoryFor(host, input.repository);
      changed.pullRequests.reset();
      changed.tickets = changed.freshTickets();
      touch(changed);
      return {};
    }),
    'repository.edit': mutation(
      z.strictObject({
        repository,
        description: z.string().nullable().optional(),
        is_private: z.boolean().optional(),
        tracker_enabled: z.boolean().optional(),
        /** What members may by default; null for nothing. */
        member_right: z.enum(['read', 'write', 'admin']).nullable().optional(),
      }),
      (input) => {
        const changed = repositoryFor(host, input.repository);
        if (input.description !== undefined) changed.description = input.description;
        changed.isPrivate = input.is_private ?? changed.isPrivate;
        changed.trackerEnabled = input.tracker_enabled ?? changed.trackerEnabled;
        if (input.member_right !== undefined) changed.memberRight = input.member_right;
        touch(changed);
        return {};
      },
    ),
    /** `change` is a RepositoryChange of `simulator/git/store.ts`. */
    git: mutation(z.strictObject({ repository, change: gitChange }), async (input) => {
      const changed = repositoryFor(host, input.repository);
      const result = await host.git.mutate(changed.gitKey, input.change);
      changed.mainBranch ??= 'main';
      touch(changed);
      return result;
    }),
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
        const workspace = findWorkspace(host, input.workspace ?? '');
        if (workspace === undefined) throw new MutationError(`no workspace ${input.workspace}`);
        if (right === 'owner' || right === 'create-project' || right === 'member') {
          workspace.members.set(person.uuid, { person, right });
        } else workspace.members.delete(person.uuid);
        return {};
      },
    ),
  };
}
