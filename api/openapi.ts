import { OpenAPIHono } from '@hono/zod-openapi';
import type { ApiApp, ApiEnv } from './dependencies.ts';
import { addRoutes } from './routes/index.ts';

/** The part of the OpenAPI document that no route says. */
const API_INFO = {
  openapi: '3.1.0',
  info: {
    title: 'Bucket Brigade',
    version: '1',
    description:
      'Connects Bitbucket Cloud accounts and imports their repositories, pull requests and tickets. ' +
      'Errors are RFC 9457 problems with a `code`. Lists are `{data, next_cursor}`. Long work answers 202 with `Location`.',
  },
};

/** The document as it is served and written to docs/openapi.json. */
export function apiDocument(app: ApiApp): object {
  return app.getOpenAPI31Document(API_INFO);
}

/** Adds the security scheme and `/openapi.json`. To be called when all routes are there. */
export function describeApi(app: ApiApp): void {
  app.openAPIRegistry.registerComponent('securitySchemes', 'key', {
    type: 'http',
    scheme: 'bearer',
    description: 'A key of one organization, made with `npm run api-key`.',
  });
  let document: object | undefined;
  app.get('/openapi.json', (c) => {
    document ??= apiDocument(app);
    return c.json(document);
  });
}

/** The document without an api that runs: routes ask for their dependencies only when they are called. */
export function createOpenApi(): object {
  const app: ApiApp = new OpenAPIHono<ApiEnv>();
  addRoutes(app);
  describeApi(app);
  return apiDocument(app);
}
