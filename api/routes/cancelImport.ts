import { z } from '@hono/zod-openapi';
import type { ApiApp } from '../dependencies.ts';
import { commandImport } from '../importCommand.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'post',
  path: '/v1/imports/{id}/cancel',
  operationId: 'cancelImport',
  summary: 'Cancel an import',
  description:
    'It ends at its checkpoints, within seconds. What is stored stays; a later import goes on from there.',
  tags: ['Imports'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({}), false) },
  responses: { 202: answer(importSchema, 'The import; it is `cancelled` within seconds.', locationHeader) },
});

export function addCancelImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const row = await commandImport(c.var, id, 'cancel');
    return c.json(presentImport(row), 202, { Location: `/v1/imports/${id}` });
  });
}
