import { readRepositoryReport } from '../../db/queries/api/completeness.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { ofRepository } from '../repository.ts';
import { presentRepositoryCompleteness, repositoryCompletenessSchema } from '../schemas/completeness.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/completeness',
  operationId: 'getRepositoryCompleteness',
  summary: 'Read whether the last import of a repository brought in everything',
  description:
    'Per stream: expected = stored + quarantined + gone + not permitted, how `expected` is known, how it was read, and what is missing.',
  tags: ['Data'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(repositoryCompletenessSchema, 'The completeness report.') },
});

export function addGetRepositoryCompleteness(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const report = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      ofRepository(tx, id, readRepositoryReport(tx, id)),
    );
    return c.json(presentRepositoryCompleteness(id, report), 200);
  });
}
