import { z } from '@hono/zod-openapi';
import type { ImportRepositoryRow, ImportStreamRow } from '../../db/queries/api/imports.ts';
import { forecastRepository, type Outlook, type Surroundings } from '../../db/queries/importForecast.ts';
import { unescapeText } from '../../db/text.ts';
import { expectedRows } from '../../forecast/expectedRows.ts';
import { IMPORT_REPOSITORY_STATES, STREAM_STATES, STREAMS } from '../../workflows/words.ts';
import { instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { estimatedEnd, expectedRange, presentOutlook, recordsPerSecond, requestsLeft } from './outlook.ts';
import { finding, id, timestamp } from './shared.ts';
import { presentWaiting, waiting } from './waiting.ts';

const count = z.number().int().min(0);

const importStream = z
  .strictObject({
    stream: z.enum(STREAMS),
    state: z.enum(STREAM_STATES),
    stored: count,
    expected: count.nullable(),
    expected_basis: z.string().nullable().meta({ description: 'how `expected` is known' }),
    expected_range: expectedRange,
    quarantined: count,
    requests: count,
    requests_left: requestsLeft,
    records_per_second: recordsPerSecond,
    estimated_end: estimatedEnd,
    waiting: waiting.nullable().meta({ description: 'where its repository waits with this stream in hand' }),
    last_error: finding.nullable(),
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })
  .openapi('ImportStream');

export const importRepositorySchema = z
  .strictObject({
    repository_id: id,
    full_name: z.string(),
    state: z.enum(IMPORT_REPOSITORY_STATES),
    error: finding.nullable(),
    waiting: waiting.nullable(),
    requests: count,
    requests_left: requestsLeft,
    records_per_second: recordsPerSecond,
    estimated_end: estimatedEnd,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    streams: z.array(importStream),
  })
  .openapi('ImportRepository');

const presentImportStream = (
  row: ImportStreamRow,
  repository: { ended: boolean },
  outlook: Outlook,
  waits: z.infer<typeof waiting> | null,
): z.infer<typeof importStream> => ({
  stream: row.stream,
  state: row.state,
  stored: row.stored,
  expected: row.expected,
  expected_basis: row.expected_basis,
  expected_range: expectedRows({
    stream: row.stream,
    stored: row.stored,
    total: row.expected,
    known: repository.ended ? null : row.known,
  }),
  quarantined: row.quarantined,
  requests: row.requests,
  ...presentOutlook(outlook),
  waiting: waits,
  last_error: presentFinding(row.last_error),
  started_at: instantOrNull(row.started_at),
  finished_at: instantOrNull(row.finished_at),
});

const NOT_OPEN: readonly string[] = ['healthy', 'unavailable', 'switched_off', 'failed'];

export function presentImportRepository(
  row: ImportRepositoryRow,
  surroundings: Surroundings,
): z.infer<typeof importRepositorySchema> {
  const streams = row.streams.toSorted(
    (one, other) => STREAMS.indexOf(one.stream) - STREAMS.indexOf(other.stream),
  );
  const outlook = forecastRepository(
    {
      state: row.state,
      streams: streams.map((stream) => ({
        stream: stream.stream,
        state: stream.state,
        stored: stream.stored,
        expected: stream.expected,
        requestsLeft: stream.requests_left,
        recordsPerSecond: stream.records_rate,
        requestsPerSecond: stream.requests_rate,
      })),
    },
    surroundings,
  );
  const waits = presentWaiting(row);
  // Of several that are read side by side the one that waits is in the repository's own state.
  const inHand =
    streams.find(({ state }) => state === row.state) ??
    streams.find(({ state }) => !NOT_OPEN.includes(state));
  return {
    repository_id: row.repositoryId,
    full_name: unescapeText(row.fullName),
    state: row.state,
    error: presentFinding(row.error),
    waiting: waits,
    requests: streams.reduce((sum, { requests }) => sum + requests, 0),
    ...presentOutlook(outlook),
    started_at: instantOrNull(row.startedAt),
    finished_at: instantOrNull(row.finishedAt),
    streams: streams.map((stream) =>
      presentImportStream(
        stream,
        { ended: ['completed', 'failed', 'cancelled'].includes(row.state) },
        outlook.streams.get(stream.stream) ?? outlook,
        stream === inHand ? waits : null,
      ),
    ),
  };
}
