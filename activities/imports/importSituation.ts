import type { Database } from '../../db/client.ts';
import { readKnowledge } from '../../db/queries/checkpoints.ts';
import {
  readImportStreams,
  readRepositorySource,
  type RepositorySource,
} from '../../db/queries/importProgress.ts';
import type { StreamActivities } from '../../workflows/contracts/streams.ts';
import { STREAMS, STREAMS_OF_SERVICE, type Finding, type Stream } from '../../workflows/words.ts';
import { lastReadOf, type Stand } from '../streams/closing.ts';
import { EngineError } from '../engineError.ts';

export type ChunkInput = Parameters<StreamActivities['importChunk']>[0];

interface Situation {
  source: RepositorySource;
  stands: Stand<Stream>[];
  /** made for this import before */
  requests: number;
  /** why there are no tickets, when the import was told so */
  trackerGone: Finding | undefined;
}

/** What is read, and how far this import is with each stream. */
export async function readSituation(database: Database, input: ChunkInput): Promise<Situation> {
  return database.read(input.organizationId, async (tx) => {
    const [source, knowledge, imported] = await Promise.all([
      readRepositorySource(tx, input),
      readKnowledge(tx, input),
      readImportStreams(tx, input),
    ]);
    if (source === undefined) throw gone();
    const streams = new Map(imported.map((row) => [row.stream, row]));
    const names = STREAMS.filter((name) => input.streams.includes(name));
    const stateOf = (name: Stream) => streams.get(name)?.state;
    return {
      source,
      stands: names.map((name) => ({
        name,
        ended: stateOf(name) === 'healthy',
        unavailable: stateOf(name) === 'unavailable' || stateOf(name) === 'switched_off',
        last: lastReadOf(knowledge.get(name) ?? null, input.importId),
      })),
      requests: names.reduce((sum, name) => sum + (streams.get(name)?.requests ?? 0), 0),
      trackerGone:
        imported.find(
          ({ stream, state }) => STREAMS_OF_SERVICE.tickets.includes(stream) && state === 'unavailable',
        )?.error ?? undefined,
    };
  });
}

/** Records expected in all streams of the repository, where known so far. */
export async function expectedInAll(database: Database, input: ChunkInput): Promise<number | null> {
  const streams = await database.read(input.organizationId, (tx) => readImportStreams(tx, input));
  const known = streams.flatMap(({ expected }) => expected ?? []);
  return known.length === 0 ? null : known.reduce((sum, expected) => sum + expected, 0);
}

const gone = (): EngineError =>
  new EngineError('IntegrationGone', {
    code: 'integration_gone',
    message: 'The integration or the repository was removed while it was imported.',
    remedy: 'Nothing to do.',
  });
