import { workspaceRight } from '../auth/access.ts';
import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badLogin, forbidden, notFound, refuse } from '../http/errors.ts';
import { type FilterFields, readFilter, readSort } from '../http/filter.ts';
import { pageOf } from '../http/paging.ts';
import { jsonReply } from '../http/reply.ts';
import {
  fullName,
  type Project,
  type Repository,
  type RepositoryRight,
  type Workspace,
} from '../model/entities.ts';
import type { Person } from '../model/people.ts';
import type { Host } from './host.ts';
import type { Json } from './json.ts';
import { repositoryWith, workspaceOf } from './resolve.ts';

interface Member {
  person: Person;
  right: string;
}

const MEMBER_FIELDS: FilterFields<Member> = {
  'user.email': { type: 'text', of: (entry) => entry.person.email, sortable: false },
  'user.uuid': { type: 'text', of: (entry) => entry.person.uuid },
  'user.account_id': { type: 'text', of: (entry) => entry.person.accountId },
  'user.nickname': { type: 'text', of: (entry) => entry.person.nickname },
  permission: { type: 'text', of: (entry) => entry.right },
};

const PROJECT_FIELDS: FilterFields<Project> = {
  key: { type: 'text', of: (entry) => entry.key },
  uuid: { type: 'text', of: (entry) => entry.uuid },
  name: { type: 'text', of: (entry) => entry.name },
  is_private: { type: 'boolean', of: (entry) => entry.isPrivate },
  created_on: { type: 'moment', of: (entry) => entry.createdOn },
  updated_on: { type: 'moment', of: (entry) => entry.updatedOn },
};

interface Grant extends Member {
  repository: Repository;
  right: RepositoryRight;
}

const GRANT_FIELDS: FilterFields<Grant> = {
  'repository.uuid': { type: 'text', of: (entry) => entry.repository.uuid },
  'repository.full_name': { type: 'text', of: (entry) => fullName(entry.repository) },
  'user.uuid': { type: 'text', of: (entry) => entry.person.uuid },
  permission: { type: 'text', of: (entry) => entry.right },
};

/** Filters and sorts a list at hand as the request says. */
export function arranged<T>(call: Call, list: readonly T[], fields: FilterFields<T>): T[] {
  const filter = readFilter(call.query, fields);
  const chosen = filter === undefined ? [...list] : list.filter(filter);
  const sort = readSort(call.query, fields);
  return sort === undefined ? chosen : sort(chosen);
}

export function createWorkspaceRoutes(host: Host): Route[] {
  const membership = (workspace: Workspace, entry: Member, withRight: boolean): Json =>
    `{"type":"workspace_membership",${withRight ? `"permission":"${entry.right}",` : ''}"user":${host.people.person(entry.person)},"workspace":${host.repositories.workspace(workspace)},"links":{"self":{"href":"${host.urls.api}/workspaces/${workspace.slug}/members/${encodeURIComponent(entry.person.uuid)}"}}}`;

  /** Members, for members only; anonymous 401. */
  function membersOf(call: Call): { workspace: Workspace; members: Member[] } {
    const workspace = workspaceOf(host, call);
    if (call.actor === null) refuse(badLogin());
    const member = call.actor.home?.workspace === workspace || workspaceRight(call.actor, workspace) !== null;
    if (!member) refuse(forbidden());
    return { workspace, members: [...workspace.members.values()] };
  }

  function repositoryGrants(call: Call, workspace: Workspace, only: Repository | undefined): Json {
    const grants: Grant[] = [];
    for (const repository of host.world.repositories) {
      if (repository.workspace !== workspace || repository.deleted) continue;
      if (only !== undefined && repository !== only) continue;
      for (const { person, right } of repository.grants.values()) grants.push({ repository, person, right });
    }
    return pageOf(
      { base: call.base, query: call.query, rule: { fallback: 10, max: 100 } },
      arranged(call, grants, GRANT_FIELDS),
      (entry) =>
        `{"type":"repository_permission","permission":"${entry.right}","user":${host.people.person(entry.person)},"repository":${host.repositories.short(entry.repository)}}`,
    );
  }

  return [
    {
      method: 'GET',
      path: '/workspaces/:workspace',
      needs: NEEDS.workspaceItself,
      group: 'none',
      handle: (call) => jsonReply(host.repositories.workspace(workspaceOf(host, call))),
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/members',
      needs: NEEDS.workspace,
      group: 'none',
      handle(call) {
        const { workspace, members } = membersOf(call);
        return jsonReply(
          pageOf(
            { base: call.base, query: call.query, rule: { fallback: 50, max: 100 } },
            arranged(call, members, MEMBER_FIELDS),
            (entry) => membership(workspace, entry, false),
          ),
        );
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/members/:user',
      needs: NEEDS.workspace,
      group: 'none',
      handle(call) {
        const { workspace, members } = membersOf(call);
        const key = call.params.user ?? '';
        const found = members.find((entry) => entry.person.uuid === key || entry.person.accountId === key);
        return jsonReply(membership(workspace, found ?? refuse(notFound('User not found')), false));
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/permissions',
      needs: NEEDS.workspace,
      group: 'none',
      usersOnly: true,
      handle(call) {
        const { workspace, members } = membersOf(call);
        // Who is no owner gets an empty list, not a refusal (facts 3.4).
        const list = workspaceRight(call.actor, workspace) === 'owner' ? members : [];
        return jsonReply(
          pageOf(
            { base: call.base, query: call.query, rule: { fallback: 50, max: 100 } },
            arranged(call, list, MEMBER_FIELDS),
            (entry) => membership(workspace, entry, true),
          ),
        );
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/permissions/repositories',
      needs: NEEDS.repositoryRights,
      group: 'none',
      usersOnly: true,
      handle(call) {
        const { workspace } = membersOf(call);
        if (workspaceRight(call.actor, workspace) !== 'owner') refuse(forbidden());
        return jsonReply(repositoryGrants(call, workspace, undefined));
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/permissions/repositories/:repository',
      needs: NEEDS.repository,
      group: 'none',
      usersOnly: true,
      handle(call) {
        const { workspace } = membersOf(call);
        const repository = repositoryWith(host, call, 'admin');
        return jsonReply(repositoryGrants(call, workspace, repository));
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/projects',
      needs: NEEDS.project,
      group: 'none',
      handle(call) {
        const workspace = workspaceOf(host, call);
        const projects = workspace.projects.filter((entry) => projectVisible(call, entry));
        return jsonReply(
          pageOf(
            { base: call.base, query: call.query, rule: { fallback: 10, max: 100 } },
            arranged(call, projects, PROJECT_FIELDS),
            (project) => host.repositories.project(project),
          ),
        );
      },
    },
    {
      method: 'GET',
      path: '/workspaces/:workspace/projects/:project',
      needs: NEEDS.project,
      group: 'none',
      handle(call) {
        const workspace = workspaceOf(host, call);
        const key = call.params.project ?? '';
        const project = workspace.projects.find(
          (entry) => entry.key === key.toUpperCase() || entry.uuid === key,
        );
        if (project === undefined || !projectVisible(call, project)) {
          return refuse(notFound(`Project with key ${key} not found`));
        }
        return jsonReply(host.repositories.project(project));
      },
    },
  ];
}

function projectVisible(call: Call, project: Project): boolean {
  if (!project.isPrivate) return true;
  if (call.actor === null) return false;
  const { home } = call.actor;
  if (home === null) return workspaceRight(call.actor, project.workspace) !== null;
  if (home.kind === 'project') return home.project === project;
  return home.kind === 'workspace' && home.workspace === project.workspace;
}
