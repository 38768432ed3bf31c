import { z } from '@hono/zod-openapi';
import { listQuarantine } from '../../db/queries/api/quarantine.ts';
import { STREAMS } from '../../workflows/words.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { presentQuarantined, quarantinedSchema, SHOWN_BYTES } from '../schemas/quarantine.ts';
import { id, idParam, listOf, pageQuery } from '../schemas/shared.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('quarantine', z.uuid());

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/quarantine',
  operationId: 'listQuarantine',
  summary: 'List the records that could not be stored',
  description:
    'Each with its bytes as they came, where it stood, and why. They are accounted for: the completeness report counts them.',
  tags: ['Quarantine'],
  role: 'viewer',
  request: {
    params: idParam,
    query: pageQuery.extend({ repository: id.optional(), stream: z.enum(STREAMS).optional() }),
  },
  responses: { 200: answer(listOf(quarantinedSchema, 'QuarantineList'), 'A page, oldest first.') },
});

export function addListQuarantine(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      listQuarantine(tx, {
        integrationId,
        repositoryId: query.repository,
        stream: query.stream,
        after,
        limit: query.limit + 1,
        headBytes: SHOWN_BYTES,
      }),
    );
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => row.id);
    return c.json({ data: rows.map(presentQuarantined), next_cursor }, 200);
  });
}
