import { z } from '@hono/zod-openapi';
import type {
  ImportRepositoryRow,
  ImportRow,
  ImportStreamRow,
  StreamTotals,
} from '../../db/queries/api/imports.ts';
import type { OpenRows } from '../../db/queries/expectedRows.ts';
import { forecastRepository, type Outlook, type Surroundings } from '../../db/queries/importForecast.ts';
import { expectedOfImport, expectedRows } from '../../forecast/expectedRows.ts';
import { unescapeText } from '../../db/text.ts';
import {
  IMPORT_MODES,
  IMPORT_REPOSITORY_STATES,
  IMPORT_STATES,
  isEndedImport,
  type ImportState,
  STREAM_STATES,
  STREAMS,
} from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { estimatedNumber } from './estimatedNumber.ts';
import { presentFinding } from './finding.ts';
import { importLinks } from './importLinks.ts';
import { createdBy, finding, id, link, service, timestamp } from './shared.ts';

export const waiting = z
  .strictObject({
    since: timestamp.nullable(),
    until: timestamp.nullable(),
    reason: z.string().nullable(),
  })
  .openapi('Waiting');

const count = z.number().int().min(0);

const ids = z.array(id).min(1).max(1_000);

/** Exactly one of the four says what is imported. */
export const startImportBody = z
  .strictObject({
    repositories: ids.optional().meta({ description: 'ids of repositories' }),
    projects: ids.optional().meta({ description: 'ids of projects: all their repositories' }),
    workspaces: ids.optional().meta({ description: 'ids of workspaces: all their repositories' }),
    all: z.literal(true).optional().meta({ description: 'everything that the integration sees' }),
    mode: z.enum(IMPORT_MODES).default('changed').meta({
      description:
        '`changed`: what changed since the last time; `full`: read everything again and repair; commits only where what is stored is not what was read',
    }),
    dry_run: z.boolean().default(false).meta({
      description: 'import nothing: estimate requests, rows and end instead',
    }),
  })
  .refine(
    ({ repositories, projects, workspaces, all }) =>
      [repositories, projects, workspaces, all].filter((part) => part !== undefined).length === 1,
    {
      message: 'The body must choose by exactly one of repositories, projects, workspaces, all.',
      params: { fix: 'Give one of them; several imports can run at the same time.' },
    },
  )
  .openapi('StartImport');

/** Left out: all that failed. */
export const retryFailedBody = z
  .strictObject({
    repositories: ids.optional().meta({ description: 'ids of failed repositories; left out: all' }),
  })
  .openapi('RetryFailed');

const chosen = [
  z.strictObject({ repositories: z.array(id) }),
  z.strictObject({ projects: z.array(id) }),
  z.strictObject({ workspaces: z.array(id) }),
  z.strictObject({ all: z.literal(true) }),
] as const;
/** What a person chose. */
export const chosenSelection = z.union(chosen);

export const importSchema = z
  .strictObject({
    id,
    integration_id: id,
    mode: z.enum(IMPORT_MODES),
    state: z.enum(IMPORT_STATES),
    selection: z.union([
      ...chosen,
      z.strictObject({ imported_by: id }).meta({
        description: 'what the integration has imported: a service was switched on and catches up',
      }),
      z.strictObject({ auto_import: id }).meta({
        description: 'what the auto-import rules of the integration took, as its list of repositories shows',
      }),
    ]),
    services: z
      .array(service)
      .nullable()
      .meta({ description: 'only what these bring in; null: all that the integration has on' }),
    repositories: z.strictObject({
      total: count.nullable().meta({ description: 'null until they are counted' }),
      completed: count,
      failed: count,
    }),
    records: count.meta({ description: 'records stored so far' }),
    requests: count.meta({ description: 'API requests made so far' }),
    waiting: waiting.nullable().meta({ description: 'why nothing moves at the moment, and until when' }),
    started_by: createdBy,
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('Import');

const requestsLeft = count.nullable().meta({
  description: 'API requests that are left, as far as is known: a floor until all lists have been counted',
});
const recordsPerSecond = z.number().min(0).meta({ description: 'records stored, over the last minute' });
const estimatedEnd = timestamp.nullable().meta({
  description:
    'from what is left, the present speed and the allowance; null: not known, or it waits for a person',
});

const expectedRange = estimatedNumber.nullable().meta({
  description:
    'rows in all, of commits and activity, whose number Bitbucket does not announce: by what is stored and where the reading stands; else by the last dry run (kept for a day); else by the list of pull requests and the size of the repository. Narrows until the stream has ended, then it is the count. null: of the other streams, which have `expected`; and before anything tells, as while the list of pull requests has not begun',
});

const streamTotals = z
  .strictObject({
    stream: z.enum(STREAMS),
    stored: count,
    expected: count.nullable().meta({ description: 'null: not known for every repository yet' }),
    expected_range: expectedRange,
    quarantined: count,
    requests: count,
    requests_left: count.meta({ description: 'of the repositories that have begun' }),
    records_per_second: recordsPerSecond,
    failed: count.meta({ description: 'repositories in which this stream failed' }),
  })
  .openapi('StreamTotals');

export const importDetailSchema = z
  .strictObject({
    ...importSchema.shape,
    requests_left: requestsLeft,
    records_per_second: recordsPerSecond,
    estimated_end: estimatedEnd,
    streams: z.array(streamTotals).meta({ description: 'over all repositories' }),
  })
  .openapi('ImportDetail');
export type ImportDetail = z.infer<typeof importDetailSchema>;

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

interface WaitingColumns {
  waitingSince: string | null;
  waitingUntil: string | null;
  waitingReason: string | null;
}

export const presentWaiting = (row: WaitingColumns): z.infer<typeof waiting> | null =>
  row.waitingSince === null && row.waitingUntil === null && row.waitingReason === null
    ? null
    : {
        since: instantOrNull(row.waitingSince),
        until: instantOrNull(row.waitingUntil),
        reason: row.waitingReason,
      };

export const hasEnded = (row: { state: ImportState }): boolean => isEndedImport(row.state);

export function presentImport(row: ImportRow): z.infer<typeof importSchema> {
  return {
    id: row.id,
    integration_id: row.integrationId,
    mode: row.mode,
    state: row.state,
    selection: row.selection,
    services: row.services,
    repositories: { total: row.total, completed: row.completed, failed: row.failed },
    records: row.records,
    requests: row.requests,
    waiting: presentWaiting(row),
    started_by: { api_key_id: row.startedByKey, acting_user: row.startedByUser },
    created_at: instant(row.createdAt),
    started_at: instantOrNull(row.startedAt),
    finished_at: instantOrNull(row.finishedAt),
    links: importLinks(row),
  };
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

const presentOutlook = ({ requestsLeft: left, recordsPerSecond: rate, estimatedEnd: end }: Outlook) => ({
  requests_left: left,
  records_per_second: tenths(rate),
  estimated_end: end,
});

/** The roll-up of the row lags by up to half a minute; the streams do not, so the sums come from them. */
export function presentImportDetail(
  row: ImportRow,
  streams: StreamTotals[],
  { outlook, rows }: { outlook: Outlook; rows: OpenRows },
): ImportDetail {
  const sum = (of: (stream: StreamTotals) => number): number =>
    streams.reduce((total, stream) => total + of(stream), 0);
  return {
    ...presentImport(row),
    records: sum((stream) => stream.stored),
    requests: sum((stream) => stream.requests),
    ...presentOutlook(outlook),
    streams: streams.map((stream) => ({
      stream: stream.stream,
      stored: stream.stored,
      expected: stream.expected,
      expected_range: expectedOfImport({
        stream: stream.stream,
        stored: stream.stored,
        begun: stream.begun,
        open: rows.open.filter((one) => one.stream === stream.stream),
        pending: rows.pending,
        estimate: rows.estimate?.find((one) => one.stream === stream.stream)?.records ?? null,
      }),
      quarantined: stream.quarantined,
      requests: stream.requests,
      requests_left: hasEnded(row) ? 0 : stream.requestsLeft,
      records_per_second: tenths(stream.recordsPerSecond),
      failed: stream.failed,
    })),
  };
}

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
