import type { BitbucketAnswer } from './client.ts';
import { InvalidResponse } from './errors.ts';
import { unreadable } from './readJson.ts';
import { parseRecords, type ParsedRecords } from './records.ts';
import { recordTexts } from './recordTexts.ts';
import { pageSchema } from './schemas.ts';
import type { z } from 'zod';

export interface Page {
  values: unknown[];
  /** absolute and unchecked: give it back to the client as `next` */
  next: string | null;
  /** how many there are in all, where Bitbucket says */
  size: number | null;
}

/** The envelope of a list. Throws InvalidResponse when `values` is no list: a wrong shape is never an empty page. */
export function readPage(answer: BitbucketAnswer, path: string): Page {
  const parsed = pageSchema.safeParse(answer.json);
  if (!parsed.success) throw unreadable(path, 'does not have the shape of a list', { status: answer.status });
  return parsed.data;
}

/** The records of a list, each by itself; rejected ones with their bytes as they came. `parent`: whose own list it is. */
export function readRecords<T>(
  schema: z.ZodType<T>,
  answer: BitbucketAnswer,
  page: Page,
  parent?: number,
): ParsedRecords<T> {
  const plain = answer.plain === true;
  const parsed = parseRecords(schema, page.values, { plain });
  if (parsed.rejected.length === 0) return parsed;
  return parseRecords(schema, page.values, { texts: recordTexts(answer.bytes), parent, plain });
}

/** The answer of a single object as a list of one: it has no list of bytes to take a record from. */
export const asList = (answer: BitbucketAnswer): BitbucketAnswer => ({
  ...answer,
  bytes: Buffer.concat([Buffer.from('{"values":['), answer.bytes, Buffer.from(']}')]),
});

export interface WalkedPage extends Page {
  answer: BitbucketAnswer;
}

/**
 * Walks a list from its first page (`path`) or from a stored `next`. Ends when `next` is missing; throws InvalidResponse
 * when a `next` comes twice (a circle would never end) or after `maxPages`.
 */
export async function* walkPages(options: {
  start: { path: string } | { next: string };
  get: (place: { path: string } | { next: string }) => Promise<BitbucketAnswer>;
  maxPages?: number;
}): AsyncGenerator<WalkedPage, void, undefined> {
  const { start, get, maxPages = 10_000 } = options;
  const name = 'path' in start ? (start.path.split('?')[0] ?? start.path) : 'a list';
  const visited = new Set<string>('next' in start ? [start.next] : []);
  let place = start;
  for (let pages = 1; ; pages += 1) {
    const answer = await get(place);
    const page = readPage(answer, name);
    yield { ...page, answer };
    if (page.next === null) return;
    if (visited.has(page.next)) throw endless(name, 'leads in a circle');
    if (pages >= maxPages) throw endless(name, `does not end after ${String(maxPages)} pages`);
    visited.add(page.next);
    place = { next: page.next };
  }
}

function endless(name: string, what: string): InvalidResponse {
  return new InvalidResponse({
    readsOn: true,
    path: name,
    finding: {
      code: 'endless_list',
      message: `Bitbucket's list ${name} ${what}.`,
      remedy:
        'What was read so far is kept. The engine reads the list again; if it stays so, please report it.',
    },
  });
}
