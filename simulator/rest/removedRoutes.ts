import { NEEDS } from '../auth/scopes.ts';
import type { Route } from '../http/call.ts';
import { removed } from '../http/errors.ts';

/** Listings across workspaces are gone since 2026-04-14, so in both eras (facts 2, CHANGE-2770). */
export function createRemovedRoutes(): Route[] {
  const paths = [
    '/repositories',
    '/workspaces',
    '/user/permissions/workspaces',
    '/user/permissions/repositories',
    '/teams',
  ];
  return paths.map((path) => ({
    method: 'GET',
    path,
    needs: NEEDS.nothing,
    group: path === '/repositories' ? 'repository' : 'none',
    handle: () => removed('CHANGE-2770'),
  }));
}
