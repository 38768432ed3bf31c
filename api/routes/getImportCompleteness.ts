import { listOpenRepositories, totalCompleteness } from '../../db/queries/api/completeness.ts';
import { readImport } from '../../db/queries/api/imports.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { importCompletenessSchema, NAMED, presentImportCompleteness } from '../schemas/completeness.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/imports/{id}/completeness',
  operationId: 'getImportCompleteness',
  summary: 'Read whether an import brought in everything',
  description:
    'Per stream over all repositories: expected = stored + quarantined + gone + not permitted, and what is missing. At the end and at any time before.',
  tags: ['Imports'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(importCompletenessSchema, 'The completeness report.') },
});

export function addGetImportCompleteness(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { database } = c.var.dependencies;
    const report = await database.read(c.var.principal.organizationId, async (tx) => {
      const [row, totals, open] = await Promise.all([
        readImport(tx, id),
        totalCompleteness(tx, id),
        listOpenRepositories(tx, { importId: id, limit: NAMED + 1 }),
      ]);
      if (row === null) throw notFound('import');
      return presentImportCompleteness(row, totals, open);
    });
    return c.json(report, 200);
  });
}
