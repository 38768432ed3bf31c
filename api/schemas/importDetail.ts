import { z } from '@hono/zod-openapi';
import type { ImportRow, StreamTotals } from '../../db/queries/api/imports.ts';
import type { OpenRows } from '../../db/queries/expectedRows.ts';
import type { Outlook } from '../../db/queries/importForecast.ts';
import { expectedOfImport } from '../../forecast/expectedRows.ts';
import { STREAMS } from '../../workflows/words.ts';
import { hasEnded, importSchema, presentImport } from './import.ts';
import {
  estimatedEnd,
  expectedRange,
  presentOutlook,
  recordsPerSecond,
  requestsLeft,
  tenths,
} from './outlook.ts';

const count = z.number().int().min(0);

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
