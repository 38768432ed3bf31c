import type { BitbucketAnswer } from '../bitbucket/client.ts';
import { InvalidResponse, type BitbucketErrorType } from '../bitbucket/errors.ts';
import { readPage, type Page } from '../bitbucket/paging.ts';

/** How often the same list may begin again after Bitbucket refused a stored `next`. */
export const MAX_RESTARTS = 3;

/** Whether an answer refuses the stored `next` rather than the list, which then begins again. */
export const refusesNext = (next: string | null, type: BitbucketErrorType): boolean =>
  next !== null && (type === 'BadRequest' || type === 'NotFound' || type === 'RepositoryGone');

/** No list is longer: 100,000 pull requests with 60 entries each, 50 a page. */
const MAX_PAGES = 120_000;

const pageNumber = (url: string): number | undefined => {
  const page = /[?&]page=(\d{1,9})(?:&|$)/.exec(url)?.[1];
  return page === undefined ? undefined : Number(page);
};

/**
 * Reads a page of a list that goes on by `next`, and makes sure that it goes on (`next` comes from outside: it may repeat
 * or lead in a circle). Numbered pages must rise; other tokens are remembered by this guard, and `pages` bounds the rest.
 * Throws InvalidResponse.
 */
export function createNextGuard(): (
  name: string,
  answer: BitbucketAnswer,
  asked: { next: string | null; pages: number },
) => Page {
  const visited = new Set<string>();
  return (name, answer, { next, pages }) => {
    const page = readPage(answer, name);
    if (page.next === null) return page;
    // A walk that begins again may meet the same pages.
    if (next === null) visited.clear();
    else visited.add(next);
    const before = next === null ? 0 : pageNumber(next);
    const following = pageNumber(page.next);
    const back = before !== undefined && following !== undefined && following <= before;
    if (back || page.next === next || visited.has(page.next) || pages >= MAX_PAGES) {
      throw endless(name);
    }
    return page;
  };
}

function endless(name: string): InvalidResponse {
  return new InvalidResponse({
    readsOn: true,
    path: name,
    finding: {
      code: 'endless_list',
      message: `The next page of Bitbucket's list ${name} leads back to one that was read before.`,
      remedy: 'What was read so far is kept. The engine asks again; if it stays so, please report it.',
    },
  });
}
