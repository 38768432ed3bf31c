import type { z } from '@hono/zod-openapi';
import { LRUCache } from 'lru-cache';
import type { Transaction } from '../db/client.ts';
import { type ImportRow, readImport } from '../db/queries/api/imports.ts';
import { forecastImport, type Outlook } from '../db/queries/importForecast.ts';
import { type StreamTotals, totalImport } from '../db/queries/importTotals.ts';
import { type importDetailSchema, presentImportDetail } from './schemas/import.ts';

interface Standing {
  /** the import's state when it was added up */
  of: string;
  streams: StreamTotals[];
  outlook: Outlook;
  untilMs: number;
}

/** Of so many repositories all is added up at each look: that takes milliseconds. */
const FEW = 500;
/** Whoever follows an import looks twice a second, and so do all others: of a large one adding up takes 5 % of a processor at most. */
const COST_SHARE = 0.05;
/** So many imports are remembered at once. */
const REMEMBERED = 1_000;

/**
 * Reads an import as it stands, for who reads it and for who follows it: both see the same. Its state is that of this
 * moment. The sums over more than 500 repositories may be some moments old, unless the state has changed since.
 * `nowMs`: milliseconds on a clock that never goes back.
 */
export function createImportReader({ nowMs = () => performance.now() } = {}) {
  const standings = new LRUCache<string, Standing>({ max: REMEMBERED });

  async function standingOf(tx: Transaction, row: ImportRow): Promise<Standing> {
    const of = JSON.stringify([row.state, row.total, row.startedAt, row.finishedAt]);
    const known = standings.get(row.id);
    if (known?.of === of && nowMs() < known.untilMs) return known;
    const began = nowMs();
    const totals = await totalImport(tx, row.id);
    const outlook = await forecastImport(tx, row.id, totals);
    const ended = nowMs();
    const standing = { of, streams: totals.streams, outlook, untilMs: ended + (ended - began) / COST_SHARE };
    if ((row.total ?? 0) > FEW) standings.set(row.id, standing);
    return standing;
  }

  /** null: it is not there. */
  return async (tx: Transaction, id: string): Promise<z.infer<typeof importDetailSchema> | null> => {
    const row = await readImport(tx, id);
    if (row === null) return null;
    const { streams, outlook } = await standingOf(tx, row);
    return presentImportDetail(row, streams, outlook);
  };
}

export type ReadImportDetail = ReturnType<typeof createImportReader>;
