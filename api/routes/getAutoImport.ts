import { readSavedRules } from '../../db/queries/api/autoImport.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { autoImportSchema, presentAutoImport } from '../schemas/autoImport.ts';
import { idParam } from '../schemas/shared.ts';
import { integrationOrNotFound } from '../snapshot.ts';

const route = operation({
  method: 'get',
  path: '/v1/integrations/{id}/auto-import',
  operationId: 'getAutoImport',
  summary: 'Read the auto-import rules',
  tags: ['Auto-import'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(autoImportSchema, 'The rules, with the version to give when they are changed.') },
});

export function addGetAutoImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = await integrationOrNotFound(c.var, c.req.valid('param').id);
    const saved = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      readSavedRules(tx, id),
    );
    return c.json(presentAutoImport(saved), 200);
  });
}
