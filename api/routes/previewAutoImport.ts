import { withSince } from '../../autoImport/rules.ts';
import { readClock, readSavedRules } from '../../db/queries/api/autoImport.ts';
import { refuseByState } from '../../workflows/integration/rules.ts';
import { checkRules } from '../checkRules.ts';
import { page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, operation } from '../operation.ts';
import { previewRules } from '../previewRules.ts';
import { refuse } from '../refuse.ts';
import { previewBody, previewCursor, previewQuery, previewSchema, wantedOf } from '../schemas/autoImport.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'post',
  path: '/v1/integrations/{id}/auto-import/preview',
  operationId: 'previewAutoImport',
  summary: 'See what auto-import rules would take, before they are saved',
  description:
    'Judges every repository that the integration sees as if the rules were saved now, and says of each why it would be imported, or why not. Nothing is saved, and Bitbucket is not asked.',
  tags: ['Auto-import'],
  role: 'manager',
  request: { params: idParam, query: previewQuery, body: jsonBody(previewBody) },
  responses: { 200: answer(previewSchema, 'A page of what the rules say, with the counts of all.') },
});

export function addPreviewAutoImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = previewCursor.decode(query.cursor);
    const wanted = c.req.valid('json').rules.map(wantedOf);
    const integration = await integrationOrNotFound(c.var, c.req.valid('param').id);
    refuse(refuseByState('changeAutoImport', integration.state));
    const { database } = c.var.dependencies;
    const { organizationId } = c.var.principal;
    const rules = await database.transaction(organizationId, async (tx) => {
      await checkRules(tx, integration.id, wanted);
      return withSince(wanted, (await readSavedRules(tx, integration.id)).rules, await readClock(tx));
    });
    const of = { organizationId, integrationId: integration.id };
    const { limit, taken } = query;
    const { counts, shown } = await previewRules(database, of, rules, { after, limit, taken });
    const { rows, next_cursor } = page(shown, limit, previewCursor, ({ sight: { key, id } }) => ({
      key,
      id,
    }));
    return c.json({ counts, data: rows.map(({ row }) => row), next_cursor }, 200);
  });
}
