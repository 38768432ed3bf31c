import { countTargets, listTargets, readUpkeepRow } from '../../db/queries/api/webhookCoverage.ts';
import { createCursor, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { idParam } from '../schemas/shared.ts';
import {
  presentTarget,
  presentUpkeep,
  targetCursor,
  webhooksQuery,
  webhooksSchema,
} from '../schemas/webhooks.ts';
import { ofIntegration } from '../snapshot.ts';

const cursor = createCursor('webhooks', targetCursor);

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/webhooks',
  operationId: 'listWebhooks',
  summary: 'List how changes of each workspace and imported repository arrive',
  description:
    'By webhook, where the account may set one up, or by polling, with the reason and what to do about it. Workspaces first, then repositories.',
  tags: ['Webhooks'],
  role: 'viewer',
  request: { params: idParam, query: webhooksQuery },
  responses: {
    200: answer(webhooksSchema, 'How the upkeep stands, and a page of workspaces and repositories.'),
  },
});

export function addListWebhooks(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const { id: integrationId } = c.req.valid('param');
    const found = await ofIntegration(c.var, integrationId, (tx) =>
      Promise.all([
        readUpkeepRow(tx, integrationId),
        countTargets(tx, integrationId),
        listTargets(tx, { integrationId, mode: query.mode, after, limit: query.limit + 1 }),
      ]),
    );
    const [upkeep, counted, targets] = found;
    const { rows, next_cursor } = page(targets, query.limit, cursor, (row) => ({
      kind: row.kind,
      key: row.fullName ?? row.workspaceSlug,
      id: row.id,
    }));
    const data = rows.map((row) => presentTarget(upkeep, row));
    return c.json({ ...presentUpkeep(upkeep, counted), data, next_cursor }, 200);
  });
}
