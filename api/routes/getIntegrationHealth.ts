import { listHealth, summarizeHealth } from '../../db/queries/api/health.ts';
import { NOT_HEALTHY } from '../../workflows/health.ts';
import { readMissing } from '../../db/queries/api/webhookCoverage.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import {
  healthCursorSchema,
  healthQuery,
  integrationHealthSchema,
  presentIntegrationHealth,
} from '../schemas/health.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationWith } from '../snapshot.ts';

const cursor = createCursor('health', healthCursorSchema);

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/health',
  operationId: 'getIntegrationHealth',
  summary: 'Read how an integration fares',
  description:
    'As a whole, in numbers, and page by page the repositories that are not healthy: since when, why, what to do, and when they are tried again.',
  tags: ['Integrations'],
  role: 'viewer',
  request: { params: idParam, query: healthQuery },
  responses: { 200: answer(integrationHealthSchema, 'How it fares.') },
});

export function addGetIntegrationHealth(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    // Side by side, since each takes milliseconds where there are thousands of repositories.
    const [[summary, missing], { integration, found }] = await Promise.all([
      c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
        Promise.all([summarizeHealth(tx, integrationId), readMissing(tx, integrationId)]),
      ),
      integrationWith(c.var, integrationId, (tx) =>
        listHealth(tx, {
          integrationId,
          states: query.state === undefined ? NOT_HEALTHY : [query.state],
          after,
          limit: query.limit + 1,
        }),
      ),
    ]);
    const shown = page(found, query.limit, cursor, (row) => ({ key: row.fullName, id: row.id }));
    return c.json(presentIntegrationHealth(integration, summary, missing, shown), 200);
  });
}
