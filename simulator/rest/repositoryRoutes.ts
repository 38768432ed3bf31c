import { createHash } from 'node:crypto';
import { repositoryRight, workspaceRight } from '../auth/access.ts';
import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { badRequest, refuse } from '../http/errors.ts';
import type { FilterFields } from '../http/filter.ts';
import { pageOf } from '../http/paging.ts';
import { emptyReply, jsonReply, type Reply } from '../http/reply.ts';
import { fullName, type Repository } from '../model/entities.ts';
import type { Host } from './host.ts';
import { repositoryOf, visible, workspaceOf } from './resolve.ts';
import { arranged } from './workspaceRoutes.ts';

const REPOSITORY_FIELDS: FilterFields<Repository> = {
  uuid: { type: 'text', of: (entry) => entry.uuid },
  slug: { type: 'text', of: (entry) => entry.slug },
  name: { type: 'text', of: (entry) => entry.name },
  full_name: { type: 'text', of: fullName },
  description: { type: 'text', of: (entry) => entry.description },
  is_private: { type: 'boolean', of: (entry) => entry.isPrivate },
  language: { type: 'text', of: (entry) => entry.language },
  size: { type: 'number', of: (entry) => entry.sizeBytes },
  created_on: { type: 'moment', of: (entry) => entry.createdOn },
  updated_on: { type: 'moment', of: (entry) => entry.updatedOn },
  'project.key': { type: 'text', of: (entry) => entry.project.key },
  'project.uuid': { type: 'text', of: (entry) => entry.project.uuid },
  'mainbranch.name': { type: 'text', of: (entry) => entry.mainBranch },
  'parent.uuid': { type: 'text', of: (entry) => entry.parent?.uuid ?? null },
};

/** `role=member|contributor|admin|owner` (facts 3.3). */
function hasRole(call: Call, repository: Repository, role: string): boolean {
  const { actor } = call;
  if (actor === null) return false;
  const right = repositoryRight(actor, { ...repository, isPrivate: true });
  switch (role) {
    case 'member':
      return right !== null;
    case 'contributor':
      return right === 'write' || right === 'admin';
    case 'admin':
      return right === 'admin';
    case 'owner':
      return workspaceRight(actor, repository.workspace) === 'owner';
    default:
      return refuse(badRequest(`Invalid role: ${role}`));
  }
}

/** A weak tag of the body; the same `If-None-Match` gives 304 (facts 4.3). */
export function tagged(call: Call, reply: Reply): Reply {
  const etag = `W/"${createHash('md5').update(reply.body).digest('hex')}"`;
  if (call.header('if-none-match') === etag) return emptyReply(304, { etag });
  return { ...reply, headers: { ...reply.headers, etag } };
}

export function createRepositoryRoutes(host: Host): Route[] {
  const username = (call: Call): string | null =>
    call.actor === null || call.actor.home !== null ? null : call.actor.person.username;

  return [
    {
      method: 'GET',
      path: '/repositories/:workspace',
      needs: NEEDS.repository,
      group: 'repository',
      handle(call) {
        const workspace = workspaceOf(host, call);
        const role = call.query.get('role');
        const list = host.world.repositories.filter(
          (entry) =>
            entry.workspace === workspace &&
            visible(call.actor, entry) &&
            (role === null || hasRole(call, entry, role)),
        );
        const body = pageOf(
          { base: call.base, query: call.query, rule: { fallback: 10, max: 100 } },
          arranged(call, list, REPOSITORY_FIELDS),
          (entry) => host.repositories.full(entry, username(call)),
        );
        return tagged(call, jsonReply(body));
      },
    },
    {
      method: 'GET',
      path: '/repositories/:workspace/:repository',
      needs: NEEDS.repository,
      group: 'repository',
      handle: (call) =>
        tagged(call, jsonReply(host.repositories.full(repositoryOf(host, call), username(call)))),
    },
    {
      method: 'GET',
      path: '/repositories/:workspace/:repository/forks',
      needs: NEEDS.repository,
      group: 'repository',
      handle(call) {
        const repository = repositoryOf(host, call);
        const forks = host.world.repositories.filter(
          (entry) => entry.parent === repository && visible(call.actor, entry),
        );
        return jsonReply(
          pageOf({ base: call.base, query: call.query, rule: { fallback: 10, max: 100 } }, forks, (entry) =>
            host.repositories.full(entry, username(call)),
          ),
        );
      },
    },
  ];
}
