import { z } from 'zod';
import type { RepositoryChange } from '../git/repositoryChange.ts';
import { fullName, type Repository } from '../model/entities.ts';
import { changesPart } from '../webhooks/eventParts.ts';
import { changeGit } from './changeGit.ts';
import { personFor, projectFor, repositoryFor, workspaceFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError, type MutationTools } from './mutation.ts';

const repository = z.string();
const user = z.string().nullable().default('admin');
const slug = z.string().regex(/^[a-z0-9._-]+$/, 'a slug has a-z, 0-9, dot, dash and underscore only');

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

/** Changes of repositories and their git side. */
export function repositoryMutations({ host, events }: MutationTools): Record<string, Mutation> {
  const touch = (changed: Repository): void => {
    changed.updatedOn = host.clock.nextMicros();
    host.repositories.forget(changed);
  };

  function refuseTaken(workspace: Repository['workspace'], wanted: string): void {
    const taken = host.world.repositories.some(
      (entry) => !entry.deleted && entry.workspace === workspace && entry.slug === wanted,
    );
    if (taken) throw new MutationError(`there is a repository ${workspace.slug}/${wanted}`);
  }

  return {
    'repository.create': mutation(
      z.strictObject({
        workspace: z.string(),
        /** key of the project; default the workspace's first */
        project: z.string().optional(),
        slug,
        name: z.string().optional(),
        user,
        is_private: z.boolean().default(true),
        pull_requests: z.number().int().min(0).default(0),
        commits: z.number().int().min(0).default(0),
      }),
      async (input) => {
        const workspace = workspaceFor(host, input.workspace);
        refuseTaken(workspace, input.slug);
        const made = await host.world.createRepository({
          workspace: workspace.slug,
          project: projectFor(workspace, input.project).key,
          slug: input.slug,
          ...(input.name === undefined ? {} : { name: input.name }),
          isPrivate: input.is_private,
          pullRequests: input.pull_requests,
          commits: input.commits,
        });
        made.createdOn = host.clock.nextMicros();
        touch(made);
        await events.tell('repo:created', { repository: made, actor: personFor(host, input.user) });
        return { repository: made.uuid };
      },
    ),
    'repository.rename': mutation(z.strictObject({ repository, slug, user }), async (input) => {
      const changed = repositoryFor(host, input.repository);
      refuseTaken(changed.workspace, input.slug);
      const before = { name: changed.name, slug: changed.slug, full_name: fullName(changed) };
      changed.formerSlugs.push(changed.slug);
      changed.slug = input.slug;
      changed.name = input.slug;
      touch(changed);
      await events.tell('repo:updated', { repository: changed, actor: personFor(host, input.user) }, () =>
        changesPart({
          name: { old: before.name, new: changed.name },
          slug: { old: before.slug, new: changed.slug },
          full_name: { old: before.full_name, new: fullName(changed) },
        }),
      );
      return {};
    }),
    /** To another workspace: the uuid stays, the old address answers 404, and tokens of the repository die (facts 1.4). */
    'repository.transfer': mutation(
      z.strictObject({ repository, workspace: z.string(), project: z.string().optional(), user }),
      async (input) => {
        const moved = repositoryFor(host, input.repository);
        const formerWorkspace = moved.workspace;
        const workspace = workspaceFor(host, input.workspace);
        if (workspace === formerWorkspace) throw new MutationError(`it is in ${workspace.slug} already`);
        refuseTaken(workspace, moved.slug);
        moved.workspace = workspace;
        moved.project = projectFor(workspace, input.project);
        moved.formerSlugs = [];
        for (const credential of host.credentials.all()) {
          const { home } = credential;
          if (home?.kind === 'repository' && home.repository === moved) credential.revoked = true;
        }
        touch(moved);
        await events.tell(
          'repo:transfer',
          { repository: moved, actor: personFor(host, input.user), formerWorkspace },
          () => ({ previous_workspace: host.repositories.workspace(formerWorkspace) }),
        );
        return {};
      },
    ),
    'repository.delete': mutation(z.strictObject({ repository, user }), async (input) => {
      const gone = repositoryFor(host, input.repository);
      gone.deleted = true;
      await events.tell('repo:deleted', { repository: gone, actor: personFor(host, input.user) });
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
        user,
        /** Key of another project of its workspace. */
        project: z.string().optional(),
        description: z.string().nullable().optional(),
        is_private: z.boolean().optional(),
        tracker_enabled: z.boolean().optional(),
        /** What members may by default; null for nothing. */
        member_right: z.enum(['read', 'write', 'admin']).nullable().optional(),
      }),
      async (input) => {
        const changed = repositoryFor(host, input.repository);
        const { description, isPrivate } = changed;
        if (input.project !== undefined) changed.project = projectFor(changed.workspace, input.project);
        if (input.description !== undefined) changed.description = input.description;
        changed.isPrivate = input.is_private ?? changed.isPrivate;
        changed.trackerEnabled = input.tracker_enabled ?? changed.trackerEnabled;
        if (input.member_right !== undefined) changed.memberRight = input.member_right;
        touch(changed);
        const isToldOf = changed.description !== description || changed.isPrivate !== isPrivate;
        if (!isToldOf) return {};
        const changes =
          changed.description === description
            ? {}
            : { description: { old: description ?? '', new: changed.description ?? '' } };
        await events.tell('repo:updated', { repository: changed, actor: personFor(host, input.user) }, () =>
          changesPart(changes),
        );
        return {};
      },
    ),
    /** `change` is a RepositoryChange of `simulator/git/repositoryChange.ts`. */
    git: mutation(z.strictObject({ repository, change: gitChange, user }), (input) =>
      changeGit(
        { host, events },
        repositoryFor(host, input.repository),
        input.change,
        personFor(host, input.user),
      ),
    ),
  };
}
