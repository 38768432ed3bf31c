import type { Route } from './call.ts';

interface Branch {
  fixed: Map<string, Branch>;
  parameter: Branch | undefined;
  parameterName: string;
  rest: { name: string; routes: Map<string, Route> } | undefined;
  routes: Map<string, Route>;
}

export interface Found {
  route: Route;
  params: Record<string, string>;
}

const newBranch = (): Branch => ({
  fixed: new Map(),
  parameter: undefined,
  parameterName: '',
  rest: undefined,
  routes: new Map(),
});

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

/** Finds routes by walking the path's segments; parameters arrive decoded, a rest with its slashes. */
export function createRouter(routes: readonly Route[]): {
  find(method: string, path: string): Found | undefined;
} {
  const root = newBranch();
  for (const route of routes) {
    let branch = root;
    for (const segment of route.path.split('/').slice(1)) {
      if (segment.startsWith('*')) {
        branch.rest ??= { name: segment.slice(1), routes: new Map() };
        branch.rest.routes.set(route.method, route);
        break;
      }
      if (segment.startsWith(':')) {
        branch.parameter ??= newBranch();
        branch.parameterName = segment.slice(1);
        branch = branch.parameter;
      } else {
        const child = branch.fixed.get(segment) ?? newBranch();
        branch.fixed.set(segment, child);
        branch = child;
      }
    }
    if (!route.path.includes('*')) branch.routes.set(route.method, route);
  }

  function walk(
    branch: Branch,
    segments: readonly string[],
    at: number,
    method: string,
    params: Record<string, string>,
  ): Found | undefined {
    const segment = segments[at];
    if (segment === undefined) {
      const route = branch.routes.get(method);
      return route === undefined ? undefined : { route, params };
    }
    const child = branch.fixed.get(segment);
    const direct = child === undefined ? undefined : walk(child, segments, at + 1, method, params);
    if (direct !== undefined) return direct;
    if (branch.parameter !== undefined && segment !== '') {
      const named = { ...params, [branch.parameterName]: decode(segment) };
      const found = walk(branch.parameter, segments, at + 1, method, named);
      if (found !== undefined) return found;
    }
    const route = branch.rest?.routes.get(method);
    if (branch.rest === undefined || route === undefined || segment === '') return undefined;
    return { route, params: { ...params, [branch.rest.name]: decode(segments.slice(at).join('/')) } };
  }

  return {
    find(method, path) {
      const segments = path.split('/').slice(1);
      // A trailing slash is the same resource.
      if (segments.length > 1 && segments.at(-1) === '') segments.pop();
      return walk(root, segments, 0, method, {});
    },
  };
}
