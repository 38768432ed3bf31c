import type { Database, Transaction } from '../../db/client.ts';
import { readKnowledge, type StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import type { RepositorySource } from '../../db/queries/importProgress.ts';
import { readNewest } from '../../db/queries/newest.ts';
import { adoptQuarantined, anyQuarantined } from '../../db/queries/quarantine.ts';
import { readWanted } from '../../db/queries/wantedPullRequests.ts';
import type { Stream, WantedPart } from '../../workflows/words.ts';
import { openStreamWith, type ImportedStream } from './checkpoint.ts';
import { isOwn } from './chunk.ts';
import { lastReadOf, type LastRead } from './closing.ts';
import { createCommitReader } from '../commits/commitList.ts';
import type { ChunkInput } from '../imports/importSituation.ts';
import { before, OVERLAP_MS } from './instants.ts';
import { createActivityReader } from '../pullRequests/pullRequestActivity.ts';
import { createCommentReader } from '../pullRequests/pullRequestComments.ts';
import { createPullRequestReader } from '../pullRequests/pullRequests.ts';
import { BRINGS } from './recordStores.ts';
import { createRefReader } from '../commits/refList.ts';
import type { ReaderContext, StreamReader } from './streamReader.ts';
import { createTicketDetailReader } from '../tickets/ticketDetails.ts';
import { createTicketReader } from '../tickets/tickets.ts';

/** A stream that was opened for this attempt, and what reads it. */
export interface OpenedReader {
  checkpoint: StoredCheckpoint;
  reader: StreamReader;
  /** a closing round: how this import left the stream */
  closing: LastRead | undefined;
  /** some of its records are in quarantine, or some that they may bring along */
  hasQuarantined: boolean;
}

/** Opens a stream and learns what its reader must know, in one transaction. Throws what `openStream` throws. */
export async function openReader(
  database: Database,
  of: { input: ChunkInput; stream: ImportedStream; source: RepositorySource; goneAfterMs: number },
): Promise<OpenedReader> {
  const { input, stream, source, goneAfterMs } = of;
  const { checkpoint, more } = await openStreamWith(database, stream, (tx, opened) =>
    readKnown(tx, { input, stream, checkpoint: opened }),
  );
  const { closing, hasQuarantined } = more;
  const context: ReaderContext = {
    database,
    scope: stream,
    source,
    mode: more.mode,
    checkpoint,
    resumes: isOwn(checkpoint.position, input.importId),
    closing,
    goneAfterMs,
  };
  return { checkpoint, closing, hasQuarantined, reader: readerOf(context, stream.stream, more) };
}

/** Which stream asks for what deliveries told of a pull request. */
const WANTED_BY: Partial<Record<Stream, WantedPart>> = {
  pull_requests: 'record',
  pull_request_comments: 'comments',
};

type Known = Awaited<ReturnType<typeof readKnown>>;

async function readKnown(
  tx: Transaction,
  of: { input: ChunkInput; stream: ImportedStream; checkpoint: StoredCheckpoint },
) {
  const { input, stream, checkpoint } = of;
  const { position, watermark, memory } = checkpoint;
  const closing = lastReadOf(memory, input.importId);
  const mode = closing === undefined ? input.mode : 'changed';
  const table = stream.stream === 'pull_requests' || stream.stream === 'tickets' ? stream.stream : undefined;
  const others = position?.['import'];
  const part = WANTED_BY[stream.stream];
  const [knowledge, newest, inQuarantine, wanted] = await Promise.all([
    readKnowledge(tx, stream),
    table === undefined || watermark === null || position !== null || mode === 'full'
      ? undefined
      : readNewest(tx, stream, table, before(watermark, OVERLAP_MS)),
    anyQuarantined(tx, { ...stream, streams: [stream.stream, BRINGS[stream.stream] ?? stream.stream] }),
    part === undefined ? [] : readWanted(tx, stream, part),
    // What another import met there counts for this one, which goes on with its walk.
    typeof others === 'string' && others !== input.importId
      ? adoptQuarantined(tx, stream, others)
      : undefined,
  ]);
  return { closing, mode, knowledge, newest, wanted, hasQuarantined: inQuarantine };
}

function readerOf(
  context: ReaderContext,
  stream: Stream,
  { knowledge, newest, wanted }: Known,
): StreamReader {
  const listed = (list: Stream): string | null => knowledge.get(list)?.watermark ?? null;
  const feedBegan = knowledge.get('pull_request_activity')?.started ?? null;
  switch (stream) {
    case 'refs':
      return createRefReader(context);
    case 'commits':
      return createCommitReader(context);
    case 'pull_requests':
      return createPullRequestReader(context, { newest, wanted });
    case 'pull_request_activity':
      return createActivityReader(context);
    case 'pull_request_comments':
      return createCommentReader(context, { feedBegan, listed: listed('pull_requests'), wanted });
    case 'tickets':
      return createTicketReader(context, newest);
    case 'ticket_comments':
    case 'ticket_changes':
      return createTicketDetailReader(context, stream, listed('tickets'));
  }
}
