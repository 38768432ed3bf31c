import { z } from '@hono/zod-openapi';
import type { RemovalRow } from '../../db/queries/api/removals.ts';
import { REMOVAL_STEPS } from '../../workflows/words.ts';
import { instant } from '../instant.ts';
import { createdBy, timestamp } from './shared.ts';

export const confirmQuery = z.strictObject({
  confirm: z
    .string()
    .max(500)
    .optional()
    .meta({ description: 'the name of what goes, exactly as it is shown; without it nothing is removed' }),
});

export const removalSchema = z
  .strictObject({
    step: z.enum(REMOVAL_STEPS).meta({
      description:
        '`stopping`: its runs end; `webhooks`: they are removed at Bitbucket, then the secrets; `counting`: what is to be removed is counted; `purging`: rows and clones go',
    }),
    rows_removed: z.int(),
    rows_left: z.int().nullable().meta({ description: 'null: not counted yet' }),
    requested_by: createdBy,
    requested_at: timestamp,
    updated_at: timestamp,
  })
  .openapi('Removal');

export const presentRemoval = (row: RemovalRow): z.infer<typeof removalSchema> => ({
  step: row.step,
  rows_removed: row.rowsRemoved,
  // Rows beside those that were counted, like accounts, are removed too.
  rows_left: row.rowsTotal === null ? null : Math.max(0, row.rowsTotal - row.rowsRemoved),
  requested_by: { api_key_id: row.requestedByKey, acting_user: row.requestedByUser },
  requested_at: instant(row.requestedAt),
  updated_at: instant(row.updatedAt),
});
