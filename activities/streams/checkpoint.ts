import { asyncLocalStorage } from '@temporalio/activity';
import type { Database, Transaction } from '../../db/client.ts';
import {
  isSwitchedOff,
  moveCheckpoint,
  raiseEpoch,
  setStreamState,
  type StoredCheckpoint,
  type StreamKey,
} from '../../db/queries/checkpoints.ts';
import { addProgress, setImportStreamState, type Progress } from '../../db/queries/importProgress.ts';
import type { Opener } from '../../db/schema/streams.ts';
import { type Finding, SERVICE_OF_STREAM, type Stream, type StreamState } from '../../workflows/words.ts';
import { EngineError } from '../engineError.ts';

/** A stream of a repository, read for an import. */
export interface ImportedStream extends StreamKey {
  importId: string;
}

/**
 * Somebody else opened the stream after us, so nothing of ours may be written any more: a worker that was frozen and
 * woke up late, or one that Temporal gave up on. Worth a retry, which opens the stream anew.
 */
export class Fenced extends Error {
  override readonly name = 'Fenced';
  readonly type = 'Fenced';
  readonly retry = { kind: 'always' } as const;
  readonly finding: Finding;

  constructor(stream: StreamKey) {
    super(`Another attempt reads ${stream.stream} of this repository now; this one stops without writing.`);
    this.finding = {
      code: 'fenced',
      message: this.message,
      remedy: 'Nothing to do: the other attempt goes on from the checkpoint.',
    };
  }
}

/** The service of the stream was switched off: nothing of it is read. */
export class SwitchedOff extends Error {
  override readonly name = 'SwitchedOff';
  readonly type = 'SwitchedOff';
  readonly retry = { kind: 'never' } as const;
  readonly finding: Finding;

  constructor(stream: Stream) {
    super(`The service of ${stream} is switched off.`);
    this.finding = {
      code: 'switched_off',
      message: this.message,
      remedy: 'Nothing to do; switch it on to bring in what was missed.',
    };
  }
}

/**
 * The attempt that opens a stream: a worker that froze before it did must not shut out the one that went on meanwhile. Null
 * where no activity of a workflow does, by whose number its attempts are told apart.
 */
function openerOf(): Opener | null {
  const info = asyncLocalStorage.getStore()?.info;
  const activity = Number(info?.activityId);
  const run = info?.workflowExecution?.runId;
  if (info === undefined || run === undefined || !Number.isSafeInteger(activity)) return null;
  return { run, activity, attempt: info.attempt };
}

/**
 * Opens a stream for this attempt: raises the epoch and answers where the walk stands. Every attempt must do so, since
 * Temporal's attempt number starts again in every chunk and so is no fence by itself. Throws SwitchedOff,
 * `repository_removed`, and Fenced where a later attempt of the same run has opened it.
 */
export async function openStream(database: Database, stream: ImportedStream): Promise<StoredCheckpoint> {
  const { checkpoint } = await openStreamWith(database, stream, async () => undefined);
  return checkpoint;
}

/** The same, with what else is to be found out or done before the first page in one transaction. */
export async function openStreamWith<T>(
  database: Database,
  stream: ImportedStream,
  more: (tx: Transaction, checkpoint: StoredCheckpoint) => Promise<T>,
): Promise<{ checkpoint: StoredCheckpoint; more: T }> {
  return database.transaction(stream.organizationId, async (tx) => {
    // Sent one behind the other without waiting; an epoch raised for nothing is rolled back.
    const [off, checkpoint] = await Promise.all([
      isSwitchedOff(tx, { importId: stream.importId, service: SERVICE_OF_STREAM[stream.stream] }),
      raiseEpoch(tx, { ...stream, opener: openerOf() }),
    ]);
    if (checkpoint === undefined) throw repositoryRemoved();
    if (off) throw new SwitchedOff(stream.stream);
    if (checkpoint === 'late') throw new Fenced(stream);
    const [, found] = await Promise.all([
      setImportStreamState(tx, stream, { state: 'processing', error: null }),
      more(tx, checkpoint),
    ]);
    return { checkpoint, more: found };
  });
}

const repositoryRemoved = (): EngineError =>
  new EngineError('repository_removed', {
    code: 'repository_removed',
    message: 'The repository, or the integration that was importing it, is being removed.',
    remedy: 'Nothing to do. Import the repository by its id once it is removed, if it is wanted again.',
  });

export interface Advance extends ImportedStream {
  epoch: number;
  expectedPosition: Record<string, unknown> | null;
  position: Record<string, unknown> | null;
  /** left out: stays */
  watermark?: string | null;
  /** left out: stays */
  memory?: Record<string, unknown> | null;
  progress?: Progress;
}

/**
 * What every page transaction starts with: the compare-and-set of position and epoch, and the import's counters for this
 * stream. The row lock it takes keeps other writers of the stream out until the commit. Throws Fenced when it does not
 * hold; let that roll the transaction back.
 */
export async function advance(tx: Transaction, move: Advance): Promise<void> {
  // Sent one behind the other without waiting; where the first changes nothing, the second is rolled back.
  const [moved] = await Promise.all([
    moveCheckpoint(tx, move, {
      epoch: move.epoch,
      from: move.expectedPosition,
      to: move.position,
      ...(move.watermark === undefined ? {} : { watermark: move.watermark }),
      ...(move.memory === undefined ? {} : { memory: move.memory }),
    }),
    move.progress === undefined ? undefined : addProgress(tx, move, move.progress),
  ]);
  if (!moved) throw new Fenced(move);
}

/**
 * Records how the stream fares, for the stream and for the import. After `advance` in the transaction of a stream's
 * last page (`healthy`), or alone (`failed`, `rate_limited`, `unavailable`). Throws Fenced for an older epoch.
 */
export async function markStream(
  tx: Transaction,
  stream: ImportedStream & { epoch: number },
  change: { state: StreamState; error: Finding | null },
): Promise<void> {
  const held = await setStreamState(tx, stream, { epoch: stream.epoch, ...change });
  if (!held) throw new Fenced(stream);
  await setImportStreamState(tx, stream, change);
}
