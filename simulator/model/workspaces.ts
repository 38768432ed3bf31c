import type { Project, Workspace } from './entities.ts';
import type { Cast, Person } from './people.ts';
import { bracedUuid } from './random.ts';
import { DAY, parseMicros } from './time.ts';
import type { WorldSpec } from './worldSpec.ts';

/** When the first workspace was made. */
export const HOST_START = parseMicros('2021-02-03T08:00:00.123456Z') ?? 0;

export function createWorkspaces(seed: number, spec: WorldSpec): Workspace[] {
  return spec.workspaces.map((entry, index) => {
    const workspace: Workspace = {
      uuid: bracedUuid(`${seed}/workspace/${entry.slug}`),
      slug: entry.slug,
      name: entry.name,
      isPrivate: entry.isPrivate ?? false,
      createdOn: HOST_START + index * DAY + index,
      projects: [],
      members: new Map(),
      hooks: [],
    };
    workspace.projects = entry.projects.map(
      (project, position): Project => ({
        uuid: bracedUuid(`${seed}/project/${entry.slug}/${project.key}`),
        key: project.key,
        name: project.name,
        description: `All about ${project.name}`,
        isPrivate: position % 2 === 0,
        createdOn: workspace.createdOn + (position + 1) * DAY,
        updatedOn: workspace.createdOn + (position + 40) * DAY + 55,
        workspace,
      }),
    );
    return workspace;
  });
}

/** `members`: how many contributors belong to the first workspace. */
export function addMembers(
  workspaces: Workspace[],
  cast: Cast,
  contributors: readonly Person[],
  members: number,
): void {
  for (const workspace of workspaces) {
    const add = (person: Person, right: 'owner' | 'create-project' | 'member') =>
      workspace.members.set(person.uuid, { person, right });
    add(cast.admin, 'owner');
    add(cast.service, 'member');
    add(cast.member, 'member');
    if (workspace === workspaces[0]) {
      add(cast.repositoryAdmin, 'create-project');
      for (const person of contributors.slice(0, members)) if (person.type === 'user') add(person, 'member');
    }
  }
}
