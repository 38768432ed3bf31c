import type { PullRequest } from './pullRequest.ts';

/** Where an entry of the repository-wide activity is: pull request and position in its activity. */
export interface FeedPlace {
  number: number;
  index: number;
}

/** All activity of a repository, newest first, as three flat columns (14 bytes an entry). */
export interface Feed {
  readonly size: number;
  place(position: number): FeedPlace;
}

interface Columns {
  at: Float64Array;
  number: Uint32Array;
  index: Uint16Array;
}

function sorted(columns: Columns): Columns {
  const order = new Uint32Array(columns.at.length);
  for (let position = 0; position < order.length; position += 1) order[position] = position;
  const { at, number, index } = columns;
  order.sort(
    (left, right) =>
      (at[right] ?? 0) - (at[left] ?? 0) ||
      (number[right] ?? 0) - (number[left] ?? 0) ||
      (index[right] ?? 0) - (index[left] ?? 0),
  );
  const result = {
    at: new Float64Array(order.length),
    number: new Uint32Array(order.length),
    index: new Uint16Array(order.length),
  };
  for (const [position, from] of order.entries()) {
    result.at[position] = at[from] ?? 0;
    result.number[position] = number[from] ?? 0;
    result.index[position] = index[from] ?? 0;
  }
  return result;
}

/** Builds the feed of the given pull requests, one at a time, so that none is kept. */
export function buildFeed(pullRequests: Iterable<PullRequest>): Feed {
  const at: number[] = [];
  const number: number[] = [];
  const index: number[] = [];
  for (const pullRequest of pullRequests) {
    for (const [position, entry] of pullRequest.activity.entries()) {
      at.push(entry.at);
      number.push(pullRequest.number);
      index.push(position);
    }
  }
  const columns = sorted({
    at: Float64Array.from(at),
    number: Uint32Array.from(number),
    index: Uint16Array.from(index),
  });
  return {
    size: columns.at.length,
    place: (position) => ({ number: columns.number[position] ?? 0, index: columns.index[position] ?? 0 }),
  };
}
