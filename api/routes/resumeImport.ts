import { z } from '@hono/zod-openapi';
import type { ApiApp } from '../dependencies.ts';
import { commandImport } from '../importCommand.ts';
import { answer, jsonBody, locationHeader, operation } from '../operation.ts';
import { importSchema, presentImport } from '../schemas/import.ts';
import { idParam } from '../schemas/shared.ts';

const route = operation({
  method: 'post',
  path: '/v1/imports/{id}/resume',
  operationId: 'resumeImport',
  summary: 'Resume an import that a person paused',
  description:
    'Goes on from the checkpoints. While its integration is paused or has no credential that works it goes on waiting, and says so.',
  tags: ['Imports'],
  role: 'manager',
  request: { params: idParam, body: jsonBody(z.strictObject({}), false) },
  responses: {
    202: answer(importSchema, 'The import; its repositories go on within seconds.', locationHeader),
  },
});

export function addResumeImport(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { id } = c.req.valid('param');
    const row = await commandImport(c.var, id, 'resume');
    return c.json(presentImport(row), 202, { Location: `/v1/imports/${id}` });
  });
}
