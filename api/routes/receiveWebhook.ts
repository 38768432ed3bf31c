import { z } from '@hono/zod-openapi';
import type { ApiApp } from '../dependencies.ts';
import { operation } from '../operation.ts';
import { rawBody } from '../webhooks/rawBody.ts';
import { receiveDelivery } from '../webhooks/receive.ts';

const route = operation({
  method: 'post',
  path: '/v1/webhooks/bitbucket/{token}',
  operationId: 'receiveWebhook',
  summary: 'Where Bitbucket delivers',
  description:
    'The token and the signature over the raw body are what lets a delivery in; it needs no API key. It is stored before it is answered, and taken up soon after.',
  tags: ['Webhooks'],
  role: null,
  request: { params: z.object({ token: z.string() }) },
  responses: { 202: { description: 'It is stored.' } },
  problems: [400, 401, 404, 413, 503],
  problemTexts: {
    400: 'It does not name its event.',
    401: 'It is not signed with the secret of this webhook.',
    404: 'No webhook has this token.',
    413: 'The body is larger than 512 KiB.',
    503: 'Postgres did not take it; `Retry-After` says when to deliver it again.',
  },
});

export function addReceiveWebhook(app: ApiApp): void {
  app.openapi(route, async (c) => {
    await receiveDelivery(c.var.dependencies.intake, {
      token: c.req.valid('param').token,
      header: (name) => c.req.header(name),
      body: () => rawBody(c),
    });
    return c.body(null, 202);
  });
}
