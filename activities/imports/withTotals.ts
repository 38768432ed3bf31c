import type { Database } from '../../db/client.ts';
import { readRepositoryOutlook } from '../../db/queries/importForecast.ts';
import { readImportStreams, readStoredRecords } from '../../db/queries/importProgress.ts';
import type { ChunkResult } from '../../workflows/contracts/streams.ts';
import type { OfRepository } from '../../workflows/contracts/tenant.ts';

type ChunkInput = OfRepository & { importId: string };

/**
 * Adds to a chunk's answer what its repository's rows say as a whole, for the operator: an attempt that died
 * counted nothing in the workflow, but what it had committed is stored.
 */
export const withTotals =
  <Input extends ChunkInput>(database: Database, run: (input: Input) => Promise<ChunkResult>) =>
  async (input: Input): Promise<ChunkResult> => {
    const result = await run(input);
    const { organizationId, importId, repositoryId } = input;
    const key = { organizationId, importId, repositoryId };
    return database.transaction(organizationId, async (tx) => {
      const known = (await readImportStreams(tx, key)).filter(({ expected }) => expected !== null);
      const stored = await readStoredRecords(tx, key);
      const expected = known.reduce((sum, stream) => sum + (stream.expected ?? 0), 0);
      const { requestsLeft, estimatedEnd } = await readRepositoryOutlook(tx, key);
      return {
        ...result,
        stored,
        expected: known.length === 0 ? null : expected,
        requestsLeft,
        estimatedEnd,
      };
    });
  };
