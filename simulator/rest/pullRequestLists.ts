import type { Call } from '../http/call.ts';
import { badRequest, refuse } from '../http/errors.ts';
import { readFilter, readSort } from '../http/filter.ts';
import type { Repository } from '../model/entities.ts';
import { STATES } from '../model/pullRequest.ts';
import type { World } from '../model/world.ts';
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

/** A pull request and where it is. */
export interface Chosen {
  repository: Repository;
  number: number;
}

function* numbered(repository: Repository): Iterable<Chosen> {
  for (const number of repository.pullRequests.numbers()) yield { repository, number };
}

/** Newest number first unless sorted otherwise. */
function choose(query: URLSearchParams, all: Iterable<Chosen>): Chosen[] {
  const states = statesOf(query);
  const filter = readFilter(query, PULL_REQUEST_FIELDS);
  const sort = readSort(query, PULL_REQUEST_FIELDS);
  const chosen: Candidate[] = [];
  for (const { repository, number } of all) {
    const candidate = { ...repository.pullRequests.row(number), repository };
    if (!states.has(candidate.state)) continue;
    if (filter === undefined || filter(candidate)) chosen.push(candidate);
  }
  chosen.reverse();
  return sort === undefined ? chosen : sort(chosen);
}

/** Finds the pull requests of an author over all repositories, without looking at the others each time. */
export function createAuthorLists(
  world: World,
): (query: URLSearchParams, authorUuid: string, isShown: (repository: Repository) => boolean) => Chosen[] {
  let index = new Map<string, Chosen[]>();
  let revision = -1;

  function upToDate(): Map<string, Chosen[]> {
    if (revision === world.revision.count) return index;
    index = new Map();
    for (const repository of world.repositories) {
      for (const [uuid, numbers] of repository.pullRequests.byAuthor()) {
        const list = index.get(uuid) ?? [];
        index.set(uuid, list);
        for (const number of numbers) list.push({ repository, number });
      }
    }
    revision = world.revision.count;
    return index;
  }

  return (query, authorUuid, isShown) => {
    const theirs = upToDate().get(authorUuid) ?? [];
    return choose(
      query,
      theirs.filter(({ repository }) => isShown(repository)),
    );
  };
}

const REMEMBERED = 32;

/** What a client asks for that walks by ids: everything behind one, and maybe another condition. */
const BEHIND_ID = /^(?:(?<condition>[^()]+) AND )?id>(?<after>\d+)$/;

/** The list that such a page is the rest of, by the same parameters; the page of any other query is its own list. */
function wholeOf(query: URLSearchParams): { query: URLSearchParams; after: number } {
  const { condition, after } = BEHIND_ID.exec(query.get('q') ?? '')?.groups ?? {};
  if (after === undefined || query.get('sort') !== 'id' || /\bOR\b/i.test(condition ?? ''))
    return { query, after: 0 };
  const whole = new URLSearchParams(query);
  whole.set('q', condition ?? 'id>0');
  return { query: whole, after: Number(after) };
}

/** The part of a list in the order of its numbers that is behind one of them. */
function behind(list: readonly Chosen[], after: number): readonly Chosen[] {
  if (after === 0) return list;
  let [from, to] = [0, list.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((list[middle]?.number ?? 0) > after) to = middle;
    else from = middle + 1;
  }
  return list.slice(from);
}

/** Remembers the last lists, so that walking a list of 2,000 pages, by page or by id, does not choose 2,000 times. */
export function createListMemory(): (call: Call, repository: Repository) => readonly Chosen[] {
  const lists = new Map<string, Chosen[]>();
  return (call, repository) => {
    const { query, after } = wholeOf(call.query);
    const words = [query.get('q') ?? '', query.get('sort') ?? '', ...query.getAll('state')];
    const key = JSON.stringify([repository.uuid, repository.pullRequests.version, ...words]);
    let list = lists.get(key);
    if (list === undefined) {
      list = choose(query, numbered(repository)).map(({ number }) => ({ repository, number }));
      lists.set(key, list);
      if (lists.size > REMEMBERED) lists.delete(lists.keys().next().value ?? '');
    }
    return behind(list, after);
  };
}
