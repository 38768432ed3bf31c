import { isDeepStrictEqual } from 'node:util';
import { log } from '@temporalio/activity';
import type { Database, Transaction } from '../../db/client.ts';
import type { StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import {
  addProgress,
  readStreamCounts,
  writeStreamCounts,
  type RepositorySource,
} from '../../db/queries/importProgress.ts';
import { noteStream } from '../../db/queries/streamNotes.ts';
import { countQuarantinedBy } from '../../db/queries/quarantine.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { BitbucketError, RateLimited } from '../bitbucket/errors.ts';
import { advance, markStream, type ImportedStream } from './checkpoint.ts';
import type { StreamNote } from '../../workflows/words.ts';
import { answeredAt, type LastRead } from './closing.ts';
import { askIfEmpty, type Emptied, emptiedOf } from './emptyList.ts';
import { mustBeItself, mustBeOf, namedPlace } from './replaced.ts';
import { missingOf, settleStream } from './settleStream.ts';
import { storePage } from './storePage.ts';
import { pathOf, samePlace } from './streamReader.ts';
import type { PageRead, Place, Position, Recovery, Step, StreamReader } from './streamReader.ts';

export interface ChunkLimits {
  requests: number;
  rows: number;
  milliseconds: number;
}

/** What one activity may do, over all the streams it reads. */
export interface Allowance {
  requests: number;
  records: number;
  /** whether another page may be begun after one of `rows` more records */
  allows(rows?: number): boolean;
}

export function createAllowance(limits: ChunkLimits, now: () => number): Allowance {
  const started = now();
  return {
    requests: 0,
    records: 0,
    allows(rows = 0) {
      return (
        this.requests < limits.requests &&
        this.records + rows < limits.rows &&
        now() - started < limits.milliseconds
      );
    },
  };
}

export interface StreamRun {
  database: Database;
  source: RepositorySource;
  stream: ImportedStream;
  checkpoint: StoredCheckpoint;
  reader: StreamReader;
  /** a closing round: how this import left the stream */
  closing: LastRead | undefined;
  /** some of what it stores is in quarantine: a page that brings it takes it out */
  hasQuarantined: boolean;
  allowance: Allowance;
  signal: AbortSignal;
  get(place: Place): Promise<BitbucketAnswer>;
  /** a page is done: the deadline of the next one begins */
  onPage(): void;
}

interface Ahead {
  place: Place;
  answer: Promise<BitbucketAnswer>;
  /** the position it is asked for from, and what its answer holds there */
  at: Position;
  page: Promise<PageRead>;
}

/** Where both walks stand the same, whoever signed them (see `signed`). */
const sameWalk = (left: Position, right: Position): boolean =>
  isDeepStrictEqual({ ...left, ...UNSIGNED }, { ...right, ...UNSIGNED });
const UNSIGNED = { import: null, changed: null, firstAnswerAt: null };

/**
 * Reads one stream from its checkpoint until its end, or until the allowance is used up (undefined). Each page is
 * stored with its checkpoint before the next counts; at most one page is asked for ahead, while the last one is written.
 * Throws what the client throws, Replaced, Fenced, DatabaseError, and the signal's reason; whatever was stored stays.
 */
export async function readStream(run: StreamRun): Promise<LastRead | undefined> {
  const { database, reader, allowance, signal, checkpoint, closing } = run;
  const stream = { ...run.stream, epoch: checkpoint.epoch };
  // A walk in hand goes on from the stored position; a fresh one begins where there is none.
  let stored: Position | null = checkpoint.position;
  let position = reader.begin();
  let unrecorded = 0;
  let changed = isOwn(stored, stream.importId) && stored?.['changed'] === true;
  let firstAnswerAt = firstAnswerOf(stored);
  let emptied = isOwn(stored, stream.importId) ? emptiedOf(stored) : undefined;
  let ahead: Ahead | undefined;
  let { hasQuarantined } = run;
  /** A position says which import it belongs to, whether its walk has written anything, and since when it goes on. */
  const signed = (move: Position): Position => ({
    ...move,
    import: stream.importId,
    changed,
    firstAnswerAt,
  });

  async function ask(place: Place): Promise<BitbucketAnswer> {
    allowance.requests += 1;
    unrecorded += 1;
    try {
      const answer = await run.get(place);
      firstAnswerAt ??= answeredAt(answer);
      return answer;
    } catch (error) {
      // Refused by our own gate: no request was made. A 429 has a status.
      if (error instanceof RateLimited && error.status === undefined) {
        allowance.requests -= 1;
        unrecorded -= 1;
      }
      throw error;
    }
  }

  async function moveTo(
    { position: move, end: listEnd }: Recovery,
    also?: (tx: Transaction) => Promise<void>,
  ): Promise<void> {
    const next = signed(move);
    await database.transaction(stream.organizationId, async (tx) => {
      await advance(tx, {
        ...stream,
        expectedPosition: stored,
        position: next,
        progress: { requests: unrecorded },
      });
      if (listEnd !== undefined) await reader.settle?.(tx, listEnd);
      await also?.(tx);
    });
    unrecorded = 0;
    stored = next;
    position = next;
  }

  async function end({ completion }: Extract<Step, { kind: 'end' }>): Promise<LastRead> {
    const { watermark, rows, whole, list = null } = completion;
    const { importId } = stream;
    const round = closing === undefined ? 0 : closing.round + 1;
    const last = await database.transaction(stream.organizationId, async (tx) => {
      const settled = settleStream(completion, {
        before: await readStreamCounts(tx, stream),
        quarantined: await countQuarantinedBy(tx, stream),
        closing,
      });
      const missing = missingOf(settled);
      const left: LastRead = { importId, round, firstAnswerAt, changed, whole, rows, list, missing };
      await advance(tx, {
        ...stream,
        expectedPosition: stored,
        position: null,
        // What does not add up is read as a whole the next time, in whichever mode.
        watermark: missing === 0 ? watermark : null,
        memory: { ...(completion.memory ?? checkpoint.memory), import: left },
        progress: { requests: unrecorded },
      });
      await writeStreamCounts(tx, stream, { ...settled, basis: completion.tally.basis });
      for (const [code, note] of Object.entries({ ...completion.notes, ...notesOf(settled) })) {
        await noteStream(tx, stream, code, note);
      }
      await completion.also?.(tx);
      await markStream(tx, stream, { state: 'healthy', error: null });
      return left;
    });
    unrecorded = 0;
    return last;
  }

  function pageOf(page: PageRead): PageRead {
    const own = { ...page, position: signed(page.position) };
    if (closing === undefined) return own;
    // A closing round reads what is counted already; what it adds is counted at its end.
    const { expected: _expected, ...uncounted } = own;
    return { ...uncounted, stored: 0 };
  }

  /** Throws Replaced where another repository has the name. */
  const lookUp = async (): Promise<void> =>
    mustBeItself(run.source, (await ask(namedPlace(run.source))).json);

  /** The empty place in hand would have been believed of the repository itself: asks whether it is that, before the place. */
  async function settleName(at: Position, asked: Emptied): Promise<void> {
    await lookUp();
    emptied = { ...asked, itself: true };
    await moveTo({ position: { ...at, emptied } });
  }

  const doubt = (step: Extract<Step, { kind: 'request' }>) =>
    askIfEmpty({
      reader,
      step,
      before: emptied,
      mayAsk: () => allowance.allows(),
      ask,
      mustBeItself: lookUp,
      keep: (doubted) => moveTo({ position: { ...step.at, emptied: doubted } }),
    });

  /** Async, so that what the reader throws is a rejection, also of a page that is read ahead. */
  const readAt = async (at: Position, answer: BitbucketAnswer): Promise<PageRead> => reader.read(at, answer);

  /** Ends the attempt with the error, or with what stands behind it (the repository is another one); what it teaches is kept first. */
  async function giveUp(at: Position, error: unknown): Promise<never> {
    if (!(error instanceof BitbucketError)) throw error;
    const remembered = await reader.remember?.(at, error);
    if (remembered !== undefined) await moveTo({ position: remembered });
    const repository = reader.believedIf?.(error);
    if (repository !== undefined) mustBeItself(run.source, (await ask(repository)).json);
    throw error;
  }

  async function readPage(step: Extract<Step, { kind: 'request' }>): Promise<void> {
    if (emptied?.itself === false && emptied.path === pathOf(step.place)) return settleName(step.at, emptied);
    const early = ahead !== undefined && samePlace(ahead.place, step.place) ? ahead : undefined;
    ahead = undefined;
    const asked = early?.answer ?? ask(step.place);
    let answer = await asked.catch((error: unknown) => {
      const elsewhere = error instanceof BitbucketError ? reader.recover(step.at, error) : undefined;
      return elsewhere ?? giveUp(step.at, error);
    });
    if (!isAnswer(answer)) return moveTo(answer);
    const isRead = early !== undefined && sameWalk(early.at, step.at);
    const read = isRead ? early.page : readAt(step.at, answer);
    let page = pageOf(await read.catch((error: unknown) => giveUp(step.at, error)));
    const second = page.values.length === 0 ? await doubt(step) : undefined;
    if (second === 'later') return;
    if (second !== undefined) {
      answer = second;
      page = pageOf(await readAt(step.at, second).catch((error: unknown) => giveUp(step.at, error)));
    }
    mustBeOf(run.source, page.recordsOf ?? reader.stream, page.values);
    const at = page.position;
    const place = reader.ahead(at);
    const requests = unrecorded;
    if (place !== undefined && allowance.allows(page.items.length)) {
      const coming = ask(place);
      // Read as soon as it is there, which is while Postgres works on this page.
      ahead = { place, answer: coming, at, page: coming.then((known) => readAt(at, known)) };
      // Looked at when its turn comes; until then a failure must not count as unhandled.
      ahead.page.catch(() => {});
      coming.catch(() => {});
    }
    const { bytes } = answer;
    // Only a closing round asks whether anything was written; the first reading need not pay for the answer.
    const whenWritten = closing === undefined || changed ? undefined : { ...page.position, changed: true };
    const counts = await storePage(database, reader, {
      stream,
      from: stored,
      page,
      whenWritten,
      bytes,
      requests,
      release: hasQuarantined,
      source: { requestPath: pathOf(step.place), observedAt: answer.observedAt },
    });
    unrecorded -= requests;
    // A later page may show it again, mended: one that is asked for by its number, or a list that began anew.
    if (counts.refused > 0) hasQuarantined = true;
    allowance.records += counts.stored;
    stored = counts.written > 0 && whenWritten !== undefined ? whenWritten : page.position;
    changed = stored['changed'] === true;
    position = stored;
  }

  try {
    for (;;) {
      signal.throwIfAborted();
      const step = await reader.step(position);
      if (step.kind === 'end') {
        return await end(step);
      }
      if (step.kind === 'move') await moveTo({ position: step.position }, step.also);
      else if (ahead === undefined && !allowance.allows()) return undefined;
      else await readPage(step);
      run.onPage();
    }
  } finally {
    if (unrecorded > 0) await recordRequests(database, stream, unrecorded);
  }
}

/** When a walk in hand had its first answer, whoever began it; null: it had none yet. */
function firstAnswerOf(position: Position | null): string | null {
  const at = position?.['firstAnswerAt'];
  return typeof at === 'string' ? at : null;
}

/** Whether a position in hand was stored by this import. */
export const isOwn = (position: Position | null, importId: string): boolean =>
  position?.['import'] === importId;

const notesOf = ({ kept }: { kept: number }): Record<string, StreamNote> =>
  kept === 0
    ? {}
    : {
        kept: {
          message:
            'Rows that the list did not confirm: no longer there, or in quarantine in a newer version.',
          count: kept,
        },
      };

const isAnswer = (value: BitbucketAnswer | Recovery): value is BitbucketAnswer => 'bytes' in value;

/** Requests whose pages were not stored count too. Where that fails, the error under way must not be replaced by it. */
async function recordRequests(database: Database, stream: ImportedStream, requests: number): Promise<void> {
  await database
    .transaction(stream.organizationId, (tx) => addProgress(tx, stream, { requests }))
    .catch((error: unknown) => {
      const name = error instanceof Error ? error.name : 'unknown';
      log.warn('requests made for a page that was not stored are missing in the count', {
        requests,
        error: name,
      });
    });
}
