import type { Repository, RepositoryRight, Workspace, WorkspaceRight } from '../model/entities.ts';
import type { Credential } from './credential.ts';

/** Null: anonymous. */
export type Actor = Credential | null;

const STRENGTH: Record<RepositoryRight, number> = { read: 1, write: 2, admin: 3 };

function stronger(left: RepositoryRight | null, right: RepositoryRight | null): RepositoryRight | null {
  if (left === null) return right;
  if (right === null) return left;
  return STRENGTH[left] >= STRENGTH[right] ? left : right;
}

/** The workspace right of a person; access tokens have none. */
export function workspaceRight(actor: Actor, workspace: Workspace): WorkspaceRight | null {
  if (actor === null || actor.home !== null) return null;
  return workspace.members.get(actor.person.uuid)?.right ?? null;
}

function tokenCovers(actor: Credential, repository: Repository): boolean {
  const { home } = actor;
  if (home === null) return false;
  if (home.kind === 'workspace') return home.workspace === repository.workspace;
  if (home.kind === 'project') return home.project === repository.project;
  return home.repository === repository;
}

/** What somebody may do in a repository; null when they may not even see it. Scopes are another matter. */
export function repositoryRight(actor: Actor, repository: Repository): RepositoryRight | null {
  if (repository.deleted) return null;
  const open: RepositoryRight | null = repository.isPrivate ? null : 'read';
  if (actor === null) return open;
  // An access token is as strong as its scopes, within its home.
  if (actor.home !== null) return tokenCovers(actor, repository) ? 'admin' : open;
  const membership = workspaceRight(actor, repository.workspace);
  if (membership === 'owner') return 'admin';
  const granted = repository.grants.get(actor.person.uuid)?.right ?? null;
  return stronger(stronger(open, granted), membership === null ? null : repository.memberRight);
}

/** Private workspaces exist for members and their tokens only. */
export function seesWorkspace(actor: Actor, workspace: Workspace): boolean {
  if (!workspace.isPrivate) return true;
  if (actor === null) return false;
  if (actor.home !== null) return actor.home.workspace === workspace;
  return workspaceRight(actor, workspace) !== null;
}

/** Workspace webhooks: owners, and tokens of the workspace itself (facts 5.1). */
export function administersWorkspace(actor: Actor, workspace: Workspace): boolean {
  if (actor === null) return false;
  if (actor.home !== null) return actor.home.kind === 'workspace' && actor.home.workspace === workspace;
  return workspaceRight(actor, workspace) === 'owner';
}
