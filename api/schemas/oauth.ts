import { z } from '@hono/zod-openapi';
import { timestamp } from './shared.ts';

export const startOauthBody = z
  .strictObject({
    return_url: z.string().max(2_000).optional().meta({
      description:
        'where the browser is sent afterwards with a one-time `completion`; exactly one of the URLs that the operator registered. Left out: a page of this API asks and connects.',
    }),
  })
  .openapi('StartOauth');

export const startedOauth = z
  .strictObject({
    authorize_url: z.url().meta({ description: 'send the person’s browser there' }),
    expires_at: timestamp,
  })
  .openapi('StartedOauth');

export const completeOauthBody = z
  .strictObject({
    completion: z.string().min(1).max(200).meta({ description: 'from the return URL; single use' }),
  })
  .openapi('CompleteOauth');
