import type { Database, Transaction } from '../../db/client.ts';
import type { AccountRow } from '../../db/queries/accounts.ts';
import type { StoredCheckpoint } from '../../db/queries/checkpoints.ts';
import type { RepositorySource } from '../../db/queries/importProgress.ts';
import type { Row } from '../../db/queries/upsert.ts';
import type { ImportMode, Stream, StreamNote } from '../../workflows/words.ts';
import type { BitbucketAnswer } from '../bitbucket/client.ts';
import type { BitbucketError } from '../bitbucket/errors.ts';
import type { RejectedRecord } from '../bitbucket/records.ts';
import type { ImportedStream } from './checkpoint.ts';
import type { LastRead } from './closing.ts';
import type { ListEnd } from './ownList.ts';
import type { StreamEnd } from './settleStream.ts';

/** Where a walk stands, as it is kept in `streams.position`: plain JSON, no undefined. */
export type Position = Record<string, unknown>;

/** What to ask for: a path under the API base (with a form: by POST), or a `next` that Bitbucket gave. */
export type Place = { path: string; form?: string } | { next: string };

/** Path and query of a request, without the host. */
export const pathOf = (place: Place): string =>
  'path' in place ? place.path : place.next.replace(/^[a-z]+:\/\/[^/]*/i, '');

export const samePlace = (left: Place, right: Place): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

export interface OldestRecord {
  place: Place;
  /** it cannot be deleted: that it is not found speaks for an empty list as an empty answer does */
  isLasting: boolean;
}

/** A record that can be stored, with everything it brings along. */
export interface Item {
  /** its key within the stream, for quarantine */
  key: string;
  /** the record as JSON.parse gave it: one of the page's `values` */
  raw: unknown;
  row: Row;
  accounts: AccountRow[];
  /** the comment that an activity entry carries in full */
  comment?: Row;
  /** the activity entry that follows from a comment */
  activity?: Row;
}

export interface PageRead {
  items: Item[];
  rejected: RejectedRecord[];
  /** the stream that these records belong to, where it is another: quarantine keeps them as its records */
  recordsOf?: Stream;
  /** where the walk stands once this page is stored */
  position: Position;
  /** the page's records as they came, to find the bytes of one that the database refuses */
  values: readonly unknown[];
  /** what counts for the progress of this stream; left out: the items */
  stored?: number;
  /** records expected in all, where this page tells */
  expected?: number;
  basis?: string;
  /** the pull request or ticket whose own list this page belongs to */
  parent?: number;
  /** this page ended that list, and this is certain of it */
  end?: ListEnd;
  /** written in the page's transaction, behind its records */
  also?: (tx: Transaction) => Promise<void>;
}

export interface Completion extends StreamEnd {
  /** everything that changed before this is stored; null: not known, the next walk reads everything */
  watermark: string | null;
  memory?: Record<string, unknown> | null;
  /** for the completeness report, by code */
  notes?: Record<string, StreamNote>;
  /** a list read by key: what a closing round goes on counting from */
  list?: LastRead['list'];
  /** written with the end of the stream, behind its checkpoint and counters */
  also?: (tx: Transaction) => Promise<void>;
}

/** Where to go on; `end`: what the refusal says for certain of the list in hand. */
export interface Recovery {
  position: Position;
  end?: ListEnd;
}

export type Step =
  /** `at`: the position that `read` is given; the stored one may stand before it */
  | { kind: 'request'; place: Place; at: Position }
  /** a phase is over: only the position moves, and what the report should know of it is noted */
  | { kind: 'move'; position: Position; also?: (tx: Transaction) => Promise<void> }
  | { kind: 'end'; completion: Completion };

/** What a reader needs to know of its surroundings. */
export interface ReaderContext {
  database: Database;
  scope: ImportedStream;
  source: RepositorySource;
  mode: ImportMode;
  /** what the stream knew when it was opened */
  checkpoint: StoredCheckpoint;
  /** the position in hand was stored by this very import */
  resumes: boolean;
  /** a closing round (`mode` is `changed` then): how this import left the stream */
  closing: LastRead | undefined;
  /** two lists that agree on what is gone must be so far apart */
  goneAfterMs: number;
}

/**
 * How one stream is read: a state machine over positions that neither sends nor commits; `chunk.ts` does both.
 * Everything but `step` and `store` is a pure function.
 */
export interface StreamReader {
  stream: Stream;
  /** where a walk begins, or goes on when one is in hand */
  begin(): Position;
  step(position: Position): Promise<Step>;
  /** the next request when it follows from the position alone, so that it may be sent while a page is written */
  ahead(position: Position): Place | undefined;
  read(position: Position, answer: BitbucketAnswer): PageRead;
  /**
   * What to ask before an empty page at this place is believed (a false one looks the same): the same place, or a list
   * that must be empty too. Undefined: nothing speaks against it.
   */
  witness(position: Position, place: Place): Place | undefined;
  /**
   * The oldest record, which no list can hide: an empty page is believed once this one is not found. Undefined: the page
   * may be rightly empty while it is there.
   */
  oldest?(position: Position): OldestRecord | undefined;
  /** so many empty answers in a row are believed, those of witness and lasting oldest record among them; default 3 */
  emptyAnswers?: number;
  /**
   * Whether an empty page that would be believed is to be believed of the repository itself alone: it names none, and is not
   * what the stored rows lead to expect. Another repository may have the name by now. Left out: never.
   */
  mayBeOfAnother?(position: Position): Promise<boolean>;
  /** writes the records of one page, keys sorted, one statement a table; returns how many rows were new or changed */
  store(tx: Transaction, items: readonly Item[]): Promise<number>;
  /** where to go on after an answer that refuses this very place; undefined: the error stands */
  recover(position: Position, error: BitbucketError): Recovery | undefined;
  /** what to remember of an error that stands, for the attempts that follow; undefined: nothing */
  remember?(position: Position, error: BitbucketError): Promise<Position | undefined>;
  /**
   * The repository itself, where an error that stands is believed only if that is shown: a list that is not found looks the
   * same where its whole repository is out of sight. Undefined: the error is believed.
   */
  believedIf?(error: BitbucketError): Place | undefined;
  /** keeps what is certain of one own list, in the transaction that moves behind it */
  settle?(tx: Transaction, end: ListEnd): Promise<void>;
}
