import type { z } from '@hono/zod-openapi';
import type { Transaction } from '../db/client.ts';
import { readImport, totalStreams } from '../db/queries/api/imports.ts';
import { readOpenRows } from '../db/queries/expectedRows.ts';
import { forecastImport } from '../db/queries/importForecast.ts';
import { type importDetailSchema, presentImportDetail } from './schemas/importDetail.ts';

/** The import as it stands, for who reads it and for who follows it: both see the same. null: it is not there. */
export async function readImportDetail(
  tx: Transaction,
  id: string,
): Promise<z.infer<typeof importDetailSchema> | null> {
  const [row, totals, forecast, rows] = await Promise.all([
    readImport(tx, id),
    totalStreams(tx, id),
    forecastImport(tx, id),
    readOpenRows(tx, id),
  ]);
  return row === null ? null : presentImportDetail(row, totals, { outlook: forecast, rows });
}
