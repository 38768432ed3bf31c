import { z } from '@hono/zod-openapi';
import type { HealthSummary, RepositoryHealthRow } from '../../db/queries/api/health.ts';
import type { IntegrationRow } from '../../db/queries/api/integrations.ts';
import type { MissingRow } from '../../db/queries/api/webhookCoverage.ts';
import { unescapeText } from '../../db/text.ts';
import { integrationHealth } from '../../workflows/health.ts';
import { INTEGRATION_STATES, STREAM_STATES, STREAMS } from '../../workflows/words.ts';
import { cursorText } from '../cursor.ts';
import { instant, instantOrNull } from '../instant.ts';
import { presentStream, streamSchema } from './discovered.ts';
import { presentFinding } from './finding.ts';
import { health } from './integration.ts';
import { finding, id, pageQuery, timestamp } from './shared.ts';
import { DELIVERIES_MISSING } from './webhooks.ts';

export const healthQuery = pageQuery.extend({
  state: z.enum(STREAM_STATES).optional().meta({
    description: 'only repositories that fare so; left out: those that are not healthy',
  }),
});

export const healthCursorSchema = z.strictObject({ key: cursorText, id });

const count = z.int().min(0);
const counts = z.strictObject({
  never: count,
  processing: count,
  healthy: count,
  rate_limited: count,
  failed: count,
  unavailable: count.meta({ description: 'the host does not have it' }),
  switched_off: count.meta({ description: 'its service is switched off; what is stored stays' }),
});

const times = {
  failing_since: timestamp.nullable(),
  last_success_at: timestamp.nullable(),
  last_attempt_at: timestamp.nullable(),
  next_attempt_at: timestamp.nullable().meta({ description: 'where it waits, or is parked after failures' }),
};

const repositoryHealthSchema = z
  .strictObject({
    repository_id: id,
    full_name: z.string(),
    state: z.enum(STREAM_STATES),
    failures: count.meta({ description: 'syncs in a row that failed' }),
    last_error: finding.nullable(),
    ...times,
    streams: z.array(streamSchema),
  })
  .openapi('RepositoryHealth');

export const integrationHealthSchema = z
  .strictObject({
    integration_id: id,
    state: z.enum(INTEGRATION_STATES),
    health: health.nullable().meta({ description: 'null until created' }),
    reason: finding.nullable().meta({ description: 'why it is in this state, or does not fare well' }),
    ...times,
    missing_deliveries: z
      .strictObject({ webhooks: count, changes: count, since: timestamp, finding })
      .nullable()
      .meta({
        description: 'webhooks that do not tell what polls find, and how many changes that are; null: none',
      }),
    summary: z.strictObject({
      repositories: counts.meta({ description: 'of those that this integration fetches' }),
      streams: z.array(z.strictObject({ stream: z.enum(STREAMS), counts })),
    }),
    data: z.array(repositoryHealthSchema).meta({ description: 'in the order of full names' }),
    next_cursor: z.string().nullable().meta({ description: 'null: this was the last page' }),
  })
  .openapi('IntegrationHealth');

const countsOf = (rows: readonly { state: keyof z.infer<typeof counts>; count: number }[]) => {
  const of = {
    never: 0,
    processing: 0,
    healthy: 0,
    rate_limited: 0,
    failed: 0,
    unavailable: 0,
    switched_off: 0,
  };
  for (const row of rows) of[row.state] += row.count;
  return of;
};

type Times = Pick<HealthSummary, 'failingSince' | 'lastSuccessAt' | 'lastAttemptAt' | 'nextAttemptAt'>;

const presentTimes = (row: Times) => ({
  failing_since: instantOrNull(row.failingSince),
  last_success_at: instantOrNull(row.lastSuccessAt),
  last_attempt_at: instantOrNull(row.lastAttemptAt),
  next_attempt_at: instantOrNull(row.nextAttemptAt),
});

const presentRepositoryHealth = (row: RepositoryHealthRow): z.infer<typeof repositoryHealthSchema> => ({
  repository_id: row.id,
  full_name: unescapeText(row.fullName),
  state: row.state,
  failures: row.failures,
  last_error: presentFinding(row.lastError),
  ...presentTimes(row),
  streams: row.streams.map(presentStream),
});

export const presentIntegrationHealth = (
  integration: IntegrationRow,
  summary: HealthSummary,
  missing: MissingRow | undefined,
  page: { rows: RepositoryHealthRow[]; next_cursor: string | null },
): z.infer<typeof integrationHealthSchema> => ({
  integration_id: integration.id,
  state: integration.state,
  health: integrationHealth(integration),
  reason: presentFinding(integration.reason ?? integration.discoveryError),
  ...presentTimes(summary),
  missing_deliveries:
    missing === undefined ? null : { ...missing, since: instant(missing.since), finding: DELIVERIES_MISSING },
  summary: {
    repositories: countsOf(summary.repositories),
    streams: STREAMS.flatMap((stream) => {
      const rows = summary.streams.filter((row) => row.stream === stream);
      return rows.length === 0 ? [] : [{ stream, counts: countsOf(rows) }];
    }),
  },
  data: page.rows.map(presentRepositoryHealth),
  next_cursor: page.next_cursor,
});
