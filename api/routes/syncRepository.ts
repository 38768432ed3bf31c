import { z } from '@hono/zod-openapi';
import { askRange } from '../../db/queries/syncRanges.ts';
import { SERVICES } from '../../workflows/words.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { invalidRequest, Problem } from '../problem.ts';
import { repositoryOrNotFound } from '../repository.ts';
import { presentRepository, repositorySchema } from '../schemas/discovered.ts';
import { idParam } from '../schemas/shared.ts';
import { refuseFuture, since } from '../schemas/syncRange.ts';
import { integrationOrNotFound } from '../snapshot.ts';
import { notActive, repositoryAbsent } from '../syncRefusals.ts';

const body = z.strictObject({
  services: z
    .array(z.enum(SERVICES))
    .min(1)
    .optional()
    .meta({ description: 'only what these bring in; left out: all services of the integration' }),
  since,
});

const route = operation({
  method: 'post',
  path: '/v1/repositories/{id}/sync',
  operationId: 'syncRepository',
  summary: 'Bring an imported repository up to date now',
  description:
    'Reads what changed since the last time. Asked for while one runs, another follows behind it. A repository that is parked after failures is tried at once.',
  tags: ['Data'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(body, false) },
  responses: { 202: answer(repositorySchema, 'It runs; `sync` says how it went.', locationHeader) },
});

export function addSyncRepository(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const { dependencies, principal } = c.var;
    const read = () =>
      dependencies.database.transaction(principal.organizationId, (tx) => repositoryOrNotFound(tx, id));
    const repository = await read();
    const { integrationId } = repository;
    if (integrationId === null || repository.firstImportedAt === null) throw notImported();
    if (repository.presence !== 'present') throw repositoryAbsent(repository.presence, integrationId);
    const integration = await integrationOrNotFound(c.var, integrationId);
    if (integration.state !== 'active') throw notActive(integration.state);
    const { services = integration.services, since: wanted } = c.req.valid('json');
    refuseFuture(wanted);
    const off = services.filter((service) => !integration.services.includes(service));
    if (off.length > 0) throw switchedOff(off, services);
    if (wanted !== undefined) {
      await dependencies.database.transaction(principal.organizationId, (tx) =>
        askRange(tx, { integrationId, repositoryId: id, since: wanted }),
      );
    }
    await dependencies.orchestrator.syncRepository({
      organizationId: principal.organizationId,
      integrationId,
      repositoryId: id,
      fullName: repository.fullName,
      services,
      by: 'person',
    });
    return c.json(presentRepository(await read()), 202, { Location: `/v1/repositories/${id}` });
  });
}

const notImported = () =>
  new Problem({
    status: 409,
    code: 'not_imported',
    detail: 'The repository was never imported to its end, so there is nothing to bring up to date.',
    fix: 'Start an import of it, or let the one that runs end.',
  });

const switchedOff = (off: readonly string[], asked: readonly string[]) =>
  invalidRequest(
    422,
    off.map((service) => ({
      location: `body.services.${asked.indexOf(service)}`,
      message: `The service ${service} is switched off.`,
      fix: 'Leave it out, or switch it on for the integration.',
    })),
  );
