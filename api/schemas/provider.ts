import { z } from '@hono/zod-openapi';
import { credentialKind, service } from './shared.ts';

const field = z.strictObject({
  name: z.string(),
  label: z.string(),
  secret: z.boolean(),
  required: z.boolean(),
  hint: z.string(),
});

const serviceScopes = z.strictObject({ service, scopes: z.array(z.string()) });

/** The connect guide as data: what a form needs to lead somebody through it. */
export const providerSchema = z
  .strictObject({
    provider: z.literal('bitbucket_cloud'),
    name: z.string(),
    advice: z.array(z.string()).meta({ description: 'to show before anything is entered' }),
    services: z.array(z.strictObject({ service, name: z.string(), brings: z.string() })),
    credential_kinds: z
      .array(
        z.strictObject({
          kind: credentialKind,
          name: z.string(),
          available: z.boolean().meta({ description: 'whether this installation offers it' }),
          fields: z.array(field),
          account_scopes: z.array(z.string()),
          service_scopes: z.array(serviceScopes),
          webhook_scopes: z.array(z.string()),
          notes: z.array(z.string()),
          instructions_url: z.url(),
        }),
      )
      .meta({ description: 'in order of preference' }),
    webhook_note: z.string(),
  })
  .openapi('Provider');

export type Provider = z.infer<typeof providerSchema>;
