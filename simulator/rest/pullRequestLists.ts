import type { Call } from '../http/call.ts';
import { badRequest, refuse } from '../http/errors.ts';
import { readFilter, readSort } from '../http/filter.ts';
import type { Repository } from '../model/entities.ts';
import { STATES } from '../model/pullRequest.ts';
import { type Candidate, PULL_REQUEST_FIELDS } from './pullRequestFields.ts';

/**
 * The states of a list without `q`: OPEN unless `state` says otherwise. With `q` every state counts, whatever
 * `state` says (facts 3.3). The undocumented `all` is every state.
 */
function statesOf(query: URLSearchParams): Set<string> {
  if ((query.get('q') ?? '').trim() !== '') return new Set(STATES);
  const named = query.getAll('state').flatMap((text) => text.split(','));
  if (named.length === 0) return new Set(['OPEN']);
  const states = new Set<string>();
  for (const text of named) {
    const state = text.trim().toUpperCase();
    if (state === 'ALL') for (const every of STATES) states.add(every);
    else if (STATES.some((known) => known === state)) states.add(state);
    else refuse(badRequest(`Invalid state: ${text}`));
  }
  return states;
}

function* candidates(
  repositories: readonly Repository[],
  authorUuid: string | undefined,
): Iterable<Candidate> {
  for (const repository of repositories) {
    const { pullRequests } = repository;
    const numbers = authorUuid === undefined ? pullRequests.numbers() : pullRequests.byAuthor(authorUuid);
    for (const number of numbers) {
      yield { ...repository.pullRequests.row(number), repository };
    }
  }
}

export interface Chosen {
  repository: Repository;
  number: number;
}

/** Newest number first unless sorted otherwise; of one author only where one is named. */
export function choosePullRequests(
  query: URLSearchParams,
  repositories: readonly Repository[],
  authorUuid?: string,
): Chosen[] {
  const states = statesOf(query);
  const filter = readFilter(query, PULL_REQUEST_FIELDS);
  const sort = readSort(query, PULL_REQUEST_FIELDS);
  const chosen: Candidate[] = [];
  for (const candidate of candidates(repositories, authorUuid)) {
    if (!states.has(candidate.state)) continue;
    if (filter === undefined || filter(candidate)) chosen.push(candidate);
  }
  chosen.reverse();
  if (sort !== undefined) chosen.sort(sort);
  return chosen;
}

const REMEMBERED = 32;

/** Remembers the last lists, so that walking a list of 2,000 pages does not choose 2,000 times. */
export function createListMemory(): (call: Call, repository: Repository) => readonly Chosen[] {
  const lists = new Map<string, Chosen[]>();
  return (call, repository) => {
    const { query } = call;
    const words = [query.get('q') ?? '', query.get('sort') ?? '', ...query.getAll('state')];
    const key = JSON.stringify([repository.uuid, repository.pullRequests.version, ...words]);
    let list = lists.get(key);
    if (list === undefined) {
      list = choosePullRequests(query, [repository]).map(({ number }) => ({ repository, number }));
      lists.set(key, list);
      if (lists.size > REMEMBERED) lists.delete(lists.keys().next().value ?? '');
    }
    return list;
  };
}
