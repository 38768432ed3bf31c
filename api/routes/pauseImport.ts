import { z } from '@hono/zod-openapi';
import type { ApiApp } from '../dependencies.ts';
import { commandImport } from '../importCommand.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'post',
  path: '/v1/imports/{id}/pause',
  operationId: 'pauseImport',
  summary: 'Pause an import',
  description:
    'It waits at its checkpoints, within seconds: also inside git, and while it waits for the allowance. A pause of its integration is another matter; each is taken back by its own resume.',
  tags: ['Imports'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({}), false) },
  responses: {
    202: answer(importSchema, 'The import; its repositories come to rest within seconds.', locationHeader),
  },
});

export function addPauseImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const row = await commandImport(c.var, id, 'pause');
    return c.json(presentImport(row), 202, { Location: `/v1/imports/${id}` });
  });
}
