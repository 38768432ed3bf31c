import { isDeepStrictEqual } from 'node:util';
import { log } from '@temporalio/activity';
import { z } from 'zod';
import type { Database, Transaction } from '../db/client.ts';
import type { StoredCheckpoint } from '../db/queries/checkpoints.ts';
import {
  addProgress,
  readStreamCounts,
  writeStreamCounts,
  type RepositorySource,
} from '../db/queries/importProgress.ts';
import { noteStream } from '../db/queries/streamNotes.ts';
import { countQuarantinedBy } from '../db/queries/quarantine.ts';
import type { BitbucketAnswer } from './bitbucket/client.ts';
import { BitbucketError } from './bitbucket/errors.ts';
import { readPage as readListPage } from './bitbucket/paging.ts';
import { unreadable } from './bitbucket/readJson.ts';
import { advance, markStream, type ImportedStream } from './checkpoint.ts';
import type { StreamNote } from '../workflows/words.ts';
import { answeredAt, type LastRead } from './closing.ts';
import { mustBeOf } from './replaced.ts';
import { missingOf, settleStream } from './settleStream.ts';
import { storePage } from './storePage.ts';
import type { PageRead, Place, Position, Recovery, Step, StreamReader } from './streamReader.ts';

/** So many empty answers in a row are believed: those of a list, and that of another list that speaks for it. */
const EMPTY_ANSWERS = 3;

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
  /** some of its records are in quarantine: a page that brings them takes them out */
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

/** Path and query of a request, without the host. */
const pathOf = (place: Place): string =>
  'path' in place ? place.path : place.next.replace(/^[a-z]+:\/\/[^/]*/i, '');

const samePlace = (left: Place, right: Place): boolean => JSON.stringify(left) === JSON.stringify(right);

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
  const emptied = isOwn(stored, stream.importId) ? emptiedOf(stored) : undefined;
  let ahead: Ahead | undefined;
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
    const answer = await run.get(place);
    firstAnswerAt ??= answeredAt(answer);
    return answer;
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

  /**
   * A false empty answer looks like a true one. Undefined: nothing speaks against it; else what the place answers now.
   * Where a question is refused (an allowance may give one request at a time, so that the last never came), or the chunk is
   * full (`later`), the position keeps how often the place was empty: whoever goes on asks there for the next time.
   * Throws InvalidResponse where the other list has what this one would have to show.
   */
  async function askWitness(
    step: Extract<Step, { kind: 'request' }>,
  ): Promise<BitbucketAnswer | 'later' | undefined> {
    const witness = reader.witness(step.at, step.place);
    if (witness === undefined) return undefined;
    const path = pathOf(step.place);
    let times = emptied?.path === path ? emptied.times + 1 : 1;
    const enough = reader.emptyAnswers ?? EMPTY_ANSWERS;
    let contradicted = emptied?.path === path && emptied.contradicted;
    const keep = (): Promise<void> =>
      moveTo({ position: { ...step.at, emptied: { path, times, contradicted } } });
    let elsewhere = times === 1 && !samePlace(witness, step.place);
    while (times < enough) {
      if (!allowance.allows()) {
        await keep();
        return 'later';
      }
      try {
        if (elsewhere) {
          const isEmpty = await isEmptyToo(witness);
          if (isEmpty === true) times += 1;
          contradicted = isEmpty === false;
        } else {
          const answer = await ask(step.place);
          if (readListPage(answer, 'a list').values.length > 0) return answer;
          times += 1;
        }
        elsewhere = false;
      } catch (error) {
        if (error instanceof BitbucketError) await keep();
        throw error;
      }
    }
    if (contradicted) {
      throw unreadable(reader.stream, 'is empty, while another list shows what must be in it', 200);
    }
    return undefined;
  }

  /** Undefined: it is not to be had. */
  async function isEmptyToo(witness: Place): Promise<boolean | undefined> {
    const told = await ask(witness).catch((error: unknown) => {
      if (error instanceof BitbucketError && error.retry.kind === 'never') return undefined;
      throw error;
    });
    return told === undefined ? undefined : readListPage(told, 'a list').values.length === 0;
  }

  async function readPage(step: Extract<Step, { kind: 'request' }>): Promise<void> {
    const early = ahead !== undefined && samePlace(ahead.place, step.place) ? ahead : undefined;
    ahead = undefined;
    const asked = early?.answer ?? ask(step.place);
    let answer = await asked.catch(async (error: unknown) => {
      if (!(error instanceof BitbucketError)) throw error;
      const elsewhere = reader.recover(step.at, error);
      if (elsewhere !== undefined) return elsewhere;
      const remembered = await reader.remember?.(step.at, error);
      if (remembered !== undefined) await moveTo({ position: remembered });
      throw error;
    });
    if (!isAnswer(answer)) return moveTo(answer);
    const isRead = early !== undefined && sameWalk(early.at, step.at);
    let page = pageOf(isRead ? await early.page : reader.read(step.at, answer));
    const second = page.values.length === 0 ? await askWitness(step) : undefined;
    if (second === 'later') return;
    if (second !== undefined) {
      answer = second;
      page = pageOf(reader.read(step.at, answer));
    }
    mustBeOf(run.source, page.recordsOf ?? reader.stream, page.values);
    const at = page.position;
    const place = reader.ahead(at);
    const requests = unrecorded;
    if (place !== undefined && allowance.allows(page.items.length)) {
      const coming = ask(place);
      // Read as soon as it is there, which is while Postgres works on this page.
      ahead = { place, answer: coming, at, page: coming.then((known) => reader.read(at, known)) };
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
      release: run.hasQuarantined,
      source: { requestPath: pathOf(step.place), observedAt: answer.observedAt },
    });
    unrecorded -= requests;
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

const emptiedSchema = z.object({
  emptied: z.object({ path: z.string(), times: z.int(), contradicted: z.boolean() }),
});

/** Which place was empty, how often, and against what another list said, when no more could be asked. */
function emptiedOf(position: Position | null): z.infer<typeof emptiedSchema>['emptied'] | undefined {
  const parsed = emptiedSchema.safeParse(position);
  return parsed.success ? parsed.data.emptied : undefined;
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
