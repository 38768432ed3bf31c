import { unescapeText } from '../../db/text.ts';
import { requireConfirm } from '../confirm.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, locationHeader, operation } from '../operation.ts';
import { notFound } from '../problem.ts';
import { repeated } from '../repeated.ts';
import { repositoryOrNotFound } from '../repository.ts';
import { presentRepository, repositorySchema } from '../schemas/discovered.ts';
import { confirmQuery } from '../schemas/removal.ts';
import { idParam } from '../schemas/shared.ts';
import { actorOf } from '../snapshot.ts';

const route = operation({
  method: 'delete',
  path: '/v1/repositories/{id}',
  operationId: 'deleteRepository',
  summary: "Remove a repository's data",
  description:
    'Must be confirmed by the full name. Its runs are stopped and what was imported of it is purged, which `removal` of the repository shows. It stays discovered; nothing takes it up again until somebody imports it by its id.',
  tags: ['Data'],
  role: 'admin',
  request: { params: idParam, query: confirmQuery },
  responses: {
    202: answer(repositorySchema, 'It is being removed; `removal` of Location says how far.', locationHeader),
  },
  problems: [409, 422],
});

export function addDeleteRepository(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { dependencies, principal } = c.var;
    const { organizationId } = principal;
    const read = () =>
      dependencies.database.transaction(organizationId, (tx) => repositoryOrNotFound(tx, id));
    const fullName = unescapeText((await read()).fullName);
    requireConfirm(c.req.valid('query').confirm, fullName, 'repository');
    const removal = { organizationId, repositoryId: id, fullName, actor: actorOf(principal) };
    const isKnown = await dependencies.orchestrator.removeRepository(removal, repeated(c.var, 'remove'));
    if (!isKnown) throw notFound('repository');
    return c.json(presentRepository(await read()), 202, { Location: `/v1/repositories/${id}` });
  });
}
