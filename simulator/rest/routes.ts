import type { Route } from '../http/call.ts';
import { createCommitRoutes } from './commitRoutes.ts';
import { createHookRoutes } from './hookRoutes.ts';
import type { Host } from './host.ts';
import { createPullRequestGitRoutes } from './pullRequestGitRoutes.ts';
import { createPullRequestRoutes } from './pullRequestRoutes.ts';
import { createRemovedRoutes } from './removedRoutes.ts';
import { createRepositoryRoutes } from './repositoryRoutes.ts';
import { createTicketRoutes } from './ticketRoutes.ts';
import { createUserRoutes } from './userRoutes.ts';
import { createWorkspaceRoutes } from './workspaceRoutes.ts';

/** Every address under `/2.0` that this host has. */
export function createRoutes(host: Host): Route[] {
  return [
    ...createUserRoutes(host),
    ...createWorkspaceRoutes(host),
    ...createRepositoryRoutes(host),
    ...createPullRequestRoutes(host),
    ...createPullRequestGitRoutes(host),
    ...createCommitRoutes(host),
    ...createTicketRoutes(host),
    ...createHookRoutes(host),
    ...createRemovedRoutes(),
  ];
}
