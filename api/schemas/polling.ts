import { z } from '@hono/zod-openapi';
import type { PollingRow } from '../../db/queries/api/polls.ts';
import { instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { finding, timestamp } from './shared.ts';

export const pollingSchema = z
  .strictObject({
    effective_interval_seconds: z
      .number()
      .nullable()
      .meta({ description: 'between two rounds, at the allowance of the account; null: not known yet' }),
    last_started_at: timestamp.nullable(),
    last_finished_at: timestamp.nullable().meta({ description: 'when a round last had asked all' }),
    requests: z.int().meta({ description: 'of the last round' }),
    found: z.int().meta({ description: 'repositories that the last round found changed' }),
    error: finding.nullable().meta({ description: 'why the last round that ended has not asked all' }),
    rotated_since: timestamp.nullable().meta({
      description: 'since then every repository was looked at by itself, whatever lists and webhooks say',
    }),
  })
  .openapi('Polling');

export const presentPolling = (row: PollingRow): z.infer<typeof pollingSchema> => ({
  effective_interval_seconds: row.effectiveIntervalMs === null ? null : row.effectiveIntervalMs / 1_000,
  last_started_at: instantOrNull(row.lastStartedAt),
  last_finished_at: instantOrNull(row.lastFinishedAt),
  requests: row.requests,
  found: row.found,
  error: presentFinding(row.lastError),
  rotated_since: instantOrNull(row.rotatedSince),
});
