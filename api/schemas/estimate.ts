import { z } from '@hono/zod-openapi';
import type { EstimatedRepositoryRow, EstimateRow } from '../../db/queries/api/estimates.ts';
import { unescapeText } from '../../db/text.ts';
import { ESTIMATE_STATES, IMPORT_MODES, STREAMS } from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { estimatedNumber } from './estimatedNumber.ts';
import { presentFinding } from './finding.ts';
import { chosenSelection } from './import.ts';
import { createdBy, finding, id, link, timestamp } from './shared.ts';
import { presentWaiting, waiting } from './waiting.ts';

const count = z.number().int().min(0);

const streamEstimate = z
  .strictObject({
    stream: z.enum(STREAMS),
    records: estimatedNumber.meta({ description: 'rows that the import will store' }),
    requests: estimatedNumber.meta({ description: 'API requests that the import will make; git needs none' }),
  })
  .openapi('StreamEstimate');

const ends = z.strictObject({ low: timestamp, expected: timestamp, high: timestamp }).openapi('EstimatedEnd');

const allowance = z
  .strictObject({
    limit: count.nullable().meta({ description: 'requests in any window; null: none is known' }),
    reserve: count.meta({ description: 'of these, kept for live syncs and connection checks' }),
    used: count.meta({ description: 'in the window when the estimate was made, its own requests included' }),
    window_seconds: count,
    blocked_until: timestamp.nullable().meta({ description: 'Bitbucket takes no request before then' }),
    shared_by: count.meta({ description: 'imports that would share it, this one included' }),
  })
  .openapi('EstimatedAllowance');

/** As the worker stores it. */
const resultSchema = z.object({
  requests: estimatedNumber,
  streams: z.array(streamEstimate),
  ends,
  allowance: allowance.nullable(),
});
const repositoryResultSchema = z.object({
  requests: estimatedNumber.nullable(),
  streams: z.array(streamEstimate),
});

const estimatedRepository = z
  .strictObject({
    repository_id: id,
    full_name: z.string(),
    stands_for: z.number().min(1).meta({ description: 'of the chosen repositories; 1: for itself' }),
    asked: count.meta({ description: 'requests that this estimate made for it, at most 3' }),
    requests: estimatedNumber
      .nullable()
      .meta({ description: 'null: not known yet, or it cannot be imported' }),
    streams: z.array(streamEstimate),
    finding: finding.nullable().meta({ description: 'why it cannot be imported' }),
  })
  .openapi('EstimatedRepository');

export const estimateSchema = z
  .strictObject({
    id,
    integration_id: id,
    dry_run: z.literal(true),
    mode: z.enum(IMPORT_MODES),
    state: z.enum(ESTIMATE_STATES),
    selection: chosenSelection,
    repositories: z.strictObject({
      total: count.nullable().meta({ description: 'chosen; null until they are counted' }),
      sampled: count.meta({ description: 'asked about, at most 30; they speak for all' }),
    }),
    cost: z
      .strictObject({ requests: count })
      .meta({ description: 'what this estimate itself asked Bitbucket' }),
    requests: estimatedNumber.nullable().meta({ description: 'API requests of the import; null until done' }),
    streams: z.array(streamEstimate),
    ends: ends
      .nullable()
      .meta({ description: 'when an import that is started at once would end at the present allowance' }),
    allowance: allowance.nullable().meta({ description: 'null: nothing is known of it' }),
    sample: z.array(estimatedRepository),
    error: finding.nullable().meta({ description: 'why it failed' }),
    waiting: waiting.nullable(),
    started_by: createdBy,
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    removed_after: timestamp,
    links: z.array(link),
  })
  .openapi('ImportEstimate');

const presentRepository = (row: EstimatedRepositoryRow): z.infer<typeof estimatedRepository> => {
  const result = row.result === null ? null : repositoryResultSchema.parse(row.result);
  return {
    repository_id: row.repositoryId,
    full_name: unescapeText(row.fullName),
    stands_for: row.weight,
    asked: row.requests,
    requests: result?.requests ?? null,
    streams: result?.streams ?? [],
    finding: presentFinding(row.finding),
  };
};

export const estimatePath = (estimateId: string): string => `/v1/import-estimates/${estimateId}`;

function linksOf(row: EstimateRow): z.infer<typeof link>[] {
  const read = { action: 'read', method: 'GET' as const, href: estimatePath(row.id) };
  if (row.state !== 'done' && row.state !== 'failed') {
    return [{ ...read, hint: 'It is being made: read it again.' }];
  }
  return [
    { ...read, hint: 'This estimate.' },
    {
      action: 'import',
      method: 'POST',
      href: `/v1/integrations/${row.integrationId}/imports`,
      hint: 'Start the import with the same body, without `dry_run`.',
    },
  ];
}

export function presentEstimate(
  row: EstimateRow,
  repositories: readonly EstimatedRepositoryRow[],
): z.infer<typeof estimateSchema> {
  const result = row.result === null ? null : resultSchema.parse(row.result);
  return {
    id: row.id,
    integration_id: row.integrationId,
    dry_run: true,
    mode: row.mode,
    state: row.state,
    selection: row.selection,
    repositories: { total: row.total, sampled: repositories.length },
    cost: { requests: repositories.reduce((total, one) => total + one.requests, 0) },
    requests: result?.requests ?? null,
    streams: result?.streams ?? [],
    ends: result?.ends ?? null,
    allowance: result?.allowance ?? null,
    sample: repositories.map(presentRepository),
    error: presentFinding(row.error),
    waiting: presentWaiting(row),
    started_by: { api_key_id: row.startedByKey, acting_user: row.startedByUser },
    created_at: instant(row.createdAt),
    started_at: instantOrNull(row.startedAt),
    finished_at: instantOrNull(row.finishedAt),
    removed_after: instant(row.removedAfter),
    links: linksOf(row),
  };
}
