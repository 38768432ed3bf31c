import { repositoryRight, workspaceRight } from '../auth/access.ts';
import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badLogin, badRequest, forbidden, notFound, refuse } from '../http/errors.ts';
import { type FilterFields, readFilter, readSort } from '../http/filter.ts';
import { pageOf } from '../http/paging.ts';
import { jsonReply } from '../http/reply.ts';
import type { Repository, RepositoryRight, Workspace } from '../model/entities.ts';
import { fullName } from '../model/entities.ts';
import type { Credential } from '../auth/credential.ts';
import type { Host } from './host.ts';
import { workspaceOf } from './resolve.ts';
import type { Json } from './json.ts';

interface Access {
  workspace: Workspace;
  administrator: boolean;
}

const ACCESS_FIELDS: FilterFields<Access> = {
  administrator: { type: 'boolean', of: (entry) => entry.administrator },
  slug: { type: 'text', of: (entry) => entry.workspace.slug },
  'workspace.slug': { type: 'text', of: (entry) => entry.workspace.slug },
};

interface Grant {
  repository: Repository;
  right: RepositoryRight;
}

const GRANT_FIELDS: FilterFields<Grant> = {
  'repository.uuid': { type: 'text', of: (entry) => entry.repository.uuid },
  'repository.name': { type: 'text', of: (entry) => entry.repository.name },
  'repository.full_name': { type: 'text', of: (entry) => fullName(entry.repository) },
  permission: { type: 'text', of: (entry) => entry.right },
};

/** Whoever is logged in; anonymous is refused. */
export function accountOf(call: Call): Credential {
  return call.actor ?? refuse(badLogin());
}

export function createUserRoutes(host: Host): Route[] {
  function workspaces(call: Call): Json {
    const account = accountOf(call);
    const wanted = call.query.get('administrator');
    if (wanted !== null && wanted !== 'true' && wanted !== 'false') {
      refuse(badRequest('Invalid value for administrator'));
    }
    const filter = readFilter(call.query, ACCESS_FIELDS);
    const list = host.world.workspaces
      .map((workspace) => ({ workspace, right: workspaceRight(account, workspace) }))
      .filter((entry) => entry.right !== null)
      .map(({ workspace, right }): Access => ({ workspace, administrator: right === 'owner' }))
      .filter((entry) => wanted === null || String(entry.administrator) === wanted)
      .filter((entry) => filter?.(entry) ?? true);
    const sort = readSort(call.query, ACCESS_FIELDS);
    const sorted = sort === undefined ? list : sort(list);
    return pageOf(
      { base: call.base, query: call.query, rule: { fallback: 25, max: 100 } },
      sorted,
      (entry) => {
        const base = host.repositories.workspaceBase(entry.workspace);
        return `{"type":"workspace_access","administrator":${entry.administrator},"workspace":${base}}`;
      },
    );
  }

  function repositoryRights(call: Call): Json {
    const account = accountOf(call);
    const workspace = workspaceOf(host, call);
    if (workspaceRight(account, workspace) === null) refuse(forbidden());
    const filter = readFilter(call.query, GRANT_FIELDS);
    const list: Grant[] = [];
    for (const repository of host.world.repositories) {
      // Explicit access only (facts 3.4): grants, the group's right and ownership, not that it is public.
      const right = repository.workspace === workspace ? explicitRight(account, repository) : null;
      if (right !== null) list.push({ repository, right });
    }
    const chosen = filter === undefined ? list : list.filter(filter);
    const sort = readSort(call.query, GRANT_FIELDS);
    const sorted = sort === undefined ? chosen : sort(chosen);
    const user = host.people.person(account.person);
    return pageOf(
      { base: call.base, query: call.query, rule: { fallback: 10, max: 100 } },
      sorted,
      (entry) =>
        `{"type":"repository_permission","user":${user},"repository":${host.repositories.short(entry.repository)},"permission":"${entry.right}"}`,
    );
  }

  return [
    {
      method: 'GET',
      path: '/user',
      needs: NEEDS.user,
      group: 'none',
      usersOnly: true,
      handle: (call) => jsonReply(host.people.self(accountOf(call).person)),
    },
    {
      method: 'GET',
      path: '/users/:user',
      needs: { oauth: [], token: NEEDS.user.token },
      group: 'none',
      handle(call) {
        const person = host.world.person(call.params.user ?? '');
        return jsonReply(
          host.people.person(person ?? refuse(notFound(`${call.params.user} is not a valid user`))),
        );
      },
    },
    {
      method: 'GET',
      path: '/user/workspaces',
      needs: NEEDS.workspace,
      group: 'none',
      usersOnly: true,
      handle: (call) => jsonReply(workspaces(call)),
    },
    {
      method: 'GET',
      path: '/user/workspaces/:workspace/permission',
      needs: NEEDS.workspace,
      group: 'none',
      usersOnly: true,
      handle(call) {
        const account = accountOf(call);
        const workspace = workspaceOf(host, call);
        const right = workspaceRight(account, workspace) ?? refuse(forbidden());
        return jsonReply(
          `{"type":"workspace_membership","permission":"${right}","user":${host.people.person(account.person)},"workspace":${host.repositories.workspace(workspace)}}`,
        );
      },
    },
    {
      method: 'GET',
      path: '/user/workspaces/:workspace/permissions/repositories',
      needs: NEEDS.ownRepositoryRights,
      group: 'none',
      usersOnly: true,
      handle: (call) => jsonReply(repositoryRights(call)),
    },
  ];
}

function explicitRight(account: Credential, repository: Repository): RepositoryRight | null {
  const hidden = { ...repository, isPrivate: true };
  return repositoryRight(account, hidden);
}
