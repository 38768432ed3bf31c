import type { ApiApp } from './dependencies.ts';

/**
 * Which methods an address takes, from the routes themselves: 405 with `Allow` instead of a 404 that misleads.
 * To be called when all routes are there.
 */
export function createMethodsOf(app: ApiApp): (path: string) => string[] {
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => ({
      method,
      // `:id` is one segment; nothing else in our paths has a meaning
      pattern: new RegExp(`^${path.replaceAll('.', String.raw`\.`).replaceAll(/:[a-zA-Z_]+/g, '[^/]+')}$`),
    }));
  return (path) => {
    const methods = routes.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);
    return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)].toSorted();
  };
}
