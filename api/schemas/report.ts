import { z } from '@hono/zod-openapi';
import { VERDICTS } from '../../workflows/words.ts';
import { credentialKind, finding, service } from './shared.ts';

/** The report of a connection check, as the worker stores it (design section 5.1). Further facts may be added. */
export const reportSchema = z
  .looseObject({
    verdict: z.enum(VERDICTS),
    host: z.string().optional(),
    account: z
      .looseObject({ uuid: z.string().nullable(), name: z.string(), kind: z.string() })
      .nullable()
      .meta({ description: 'null: Bitbucket did not say who it is' }),
    previous_account: z
      .looseObject({ uuid: z.string().nullable(), name: z.string(), kind: z.string() })
      .optional()
      .meta({ description: 'the integration was connected as this one until now' }),
    credential: z
      .looseObject({ kind: credentialKind, type: z.string().nullable(), expires_on: z.string().nullable() })
      .optional(),
    scopes: z
      .looseObject({
        vocabulary: z.enum(['oauth', 'granular']),
        granted: z.array(z.string()).nullable(),
        excess: z.array(z.string()),
      })
      .optional(),
    services: z.array(
      z.looseObject({
        service,
        status: z.enum(['ready', 'missing_scopes', 'unavailable']),
        missing_scopes: z.array(z.string()),
      }),
    ),
    allowed_services: z.array(service),
    webhooks: z
      .array(
        z.looseObject({
          workspace: z.string(),
          status: z.enum(['allowed', 'not_admin', 'repositories_only', 'missing_scopes']),
          missing_scopes: z.array(z.string()),
        }),
      )
      .optional(),
    visible: z
      .looseObject({
        workspaces: z.int(),
        projects: z.int().nullable(),
        repositories: z.int(),
        complete: z.boolean(),
      })
      .nullable()
      .optional(),
    findings: z.array(z.strictObject({ ...finding.shape, severity: z.enum(['error', 'warning', 'info']) })),
    requests: z.int().optional(),
  })
  .openapi('ConnectionReport');
export type ConnectionReport = z.infer<typeof reportSchema>;
