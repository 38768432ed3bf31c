import type { ApiApp } from '../dependencies.ts';
import { bitbucketGuide } from '../guide.ts';
import { answer, operation } from '../operation.ts';
import { providerSchema } from '../schemas/provider.ts';
import { listOf } from '../schemas/shared.ts';

const route = operation({
  method: 'get',
  path: '/v1/providers',
  operationId: 'listProviders',
  summary: 'The connect guide as data',
  tags: ['Connecting'],
  role: 'viewer',
  request: {},
  responses: {
    200: answer(listOf(providerSchema, 'ProviderList'), 'Providers with their credential kinds, best first.'),
  },
});

export function addListProviders(app: ApiApp): void {
  app.openapi(route, (c) =>
    c.json({ data: [bitbucketGuide(c.var.dependencies.bitbucket)], next_cursor: null }, 200),
  );
}
