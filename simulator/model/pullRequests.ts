import { buildFeed, type Feed } from './feed.ts';
import { type PullRequest, type PullRequestState, STATES } from './pullRequest.ts';
import type { Micros } from './time.ts';

/** The few columns that lists are filtered and sorted by without making the pull request. */
export interface PullRequestRow {
  number: number;
  state: PullRequestState;
  createdOn: Micros;
  updatedOn: Micros;
}

/** The pull requests of one repository: made on demand from the seed, with changed ones laid over them. */
export interface PullRequests {
  readonly count: number;
  /** Grows with every change: whatever was derived from an older version is stale. */
  readonly version: number;
  /** Undefined when there is no such number. */
  get(number: number): PullRequest | undefined;
  row(number: number): PullRequestRow;
  /** The numbers of each author's by uuid, oldest first. */
  byAuthor(): ReadonlyMap<string, readonly number[]>;
  /** All numbers, oldest first. */
  numbers(): Iterable<number>;
  feed(): Feed;
  /** Changes one for good; the feed and the columns follow. False when there is none. */
  change(number: number, edit: (pullRequest: PullRequest) => void): boolean;
  /** Adds one under the next number. */
  add(make: (number: number) => PullRequest): PullRequest;
  /** As the seed made them: every change is forgotten. */
  reset(): void;
}

/** Counts the pull requests that came and went on a whole host, so that lists over many repositories can be kept. */
export interface Revision {
  count: number;
}

const RECENT = 64;

/** `make` must be pure; it is called again and again instead of keeping what it made. */
export function createPullRequests(
  total: number,
  make: (number: number) => PullRequest,
  revision: Revision = { count: 0 },
): PullRequests {
  const changed = new Map<number, PullRequest>();
  const recent = new Map<number, PullRequest>();
  let count = total;
  let version = 0;
  let columns:
    | { state: number[]; createdOn: number[]; updatedOn: number[]; byAuthor: Map<string, number[]> }
    | undefined;
  let feed: Feed | undefined;

  function get(number: number): PullRequest | undefined {
    if (!Number.isInteger(number) || number < 1 || number > count) return undefined;
    const known = changed.get(number) ?? recent.get(number);
    if (known !== undefined) return known;
    const made = make(number);
    recent.set(number, made);
    if (recent.size > RECENT) recent.delete(recent.keys().next().value ?? 0);
    return made;
  }

  function* all(): Iterable<PullRequest> {
    for (let number = 1; number <= count; number += 1) yield changed.get(number) ?? make(number);
  }

  function table() {
    if (columns !== undefined) return columns;
    columns = { state: [], createdOn: [], updatedOn: [], byAuthor: new Map() };
    for (const pullRequest of all()) {
      write(columns, pullRequest);
      noteAuthor(columns, pullRequest);
    }
    return columns;
  }

  function write(into: NonNullable<typeof columns>, pullRequest: PullRequest): void {
    const index = pullRequest.number - 1;
    into.state[index] = STATES.indexOf(pullRequest.state);
    into.createdOn[index] = pullRequest.createdOn;
    into.updatedOn[index] = pullRequest.updatedOn;
  }

  /** Once for each: an author never changes. */
  function noteAuthor(into: NonNullable<typeof columns>, { author, number }: PullRequest): void {
    if (author === null) return;
    const known = into.byAuthor.get(author.uuid);
    if (known === undefined) into.byAuthor.set(author.uuid, [number]);
    else known.push(number);
  }

  function stored(pullRequest: PullRequest): void {
    changed.set(pullRequest.number, pullRequest);
    recent.delete(pullRequest.number);
    feed = undefined;
    version += 1;
    if (columns !== undefined) write(columns, pullRequest);
  }

  return {
    get count() {
      return count;
    },
    get version() {
      return version;
    },
    get,
    row(number) {
      const { state, createdOn, updatedOn } = table();
      return {
        number,
        state: STATES[state[number - 1] ?? 0] ?? 'OPEN',
        createdOn: createdOn[number - 1] ?? 0,
        updatedOn: updatedOn[number - 1] ?? 0,
      };
    },
    byAuthor: () => table().byAuthor,
    *numbers() {
      for (let number = 1; number <= count; number += 1) yield number;
    },
    feed() {
      feed ??= buildFeed(all());
      return feed;
    },
    change(number, edit) {
      const pullRequest = get(number);
      if (pullRequest === undefined) return false;
      edit(pullRequest);
      stored(pullRequest);
      return true;
    },
    add(makeNew) {
      const known = table();
      count += 1;
      const pullRequest = makeNew(count);
      noteAuthor(known, pullRequest);
      stored(pullRequest);
      revision.count += 1;
      return pullRequest;
    },
    reset() {
      revision.count += 1;
      changed.clear();
      recent.clear();
      count = total;
      columns = undefined;
      feed = undefined;
      version += 1;
    },
  };
}
