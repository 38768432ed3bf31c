import type { Reply } from '../http/reply.ts';

export interface Poison {
  /** Regular expression that the record's JSON must match: the first such record of the page is bent. */
  record: string;
  /** Regular expression of what is replaced in it, the first time it occurs. */
  find: string;
  /** JSON text to put there, as it is. */
  replace: string;
}

/** The host's page with the JSON text of one record bent; any other answer as it is. */
export function poisoned(reply: Reply, { record, find, replace }: Poison): Reply {
  let page: unknown;
  try {
    page = JSON.parse(reply.body);
  } catch {
    return reply;
  }
  if (page === null || typeof page !== 'object' || !('values' in page)) return reply;
  const { values, ...rest } = page;
  if (!Array.isArray(values)) return reply;
  const wanted = new RegExp(record);
  const texts = values.map((value) => JSON.stringify(value));
  const index = texts.findIndex((text) => wanted.test(text));
  if (index < 0) return reply;
  // A function, so that `$` in the text stands for itself.
  texts[index] = (texts[index] ?? '').replace(new RegExp(find), () => replace);
  const envelope = Object.entries(rest).map(
    ([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return { ...reply, body: `{${[...envelope, `"values":[${texts.join(',')}]`].join(',')}}` };
}
