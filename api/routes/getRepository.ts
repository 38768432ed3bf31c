import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { repositoryOrNotFound } from '../repository.ts';
import { presentRepository, repositorySchema } from '../schemas/discovered.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}',
  operationId: 'getRepository',
  summary: 'Read a repository and the health of its streams',
  tags: ['Data'],
  role: 'viewer',
  request: { params: idParam },
  responses: { 200: answer(repositorySchema, 'The repository.') },
});

export function addGetRepository(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const row = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) =>
      repositoryOrNotFound(tx, c.req.valid('param').id),
    );
    return c.json(presentRepository(row), 200);
  });
}
