import { z } from '@hono/zod-openapi';
import { listIntegrations } from '../../db/queries/api/integrations.ts';
import { createCursor, cursorInstant, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { integrationSchema, presentIntegration } from '../schemas/integration.ts';
import { id, listOf, pageQuery } from '../schemas/shared.ts';

const cursor = createCursor('integrations', z.strictObject({ createdAt: cursorInstant, id }));

const route = operation({
  method: 'get',
  path: '/v1/integrations',
  operationId: 'listIntegrations',
  summary: 'List integrations, newest first',
  tags: ['Integrations'],
  role: 'viewer',
  request: { query: pageQuery },
  responses: { 200: answer(listOf(integrationSchema, 'IntegrationList'), 'A page of integrations.') },
});

export function addListIntegrations(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const found = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      listIntegrations(tx, { limit: query.limit + 1, after }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => ({
      createdAt: row.createdAt,
      id: row.id,
    }));
    return c.json({ data: rows.map(presentIntegration), next_cursor }, 200);
  });
}
