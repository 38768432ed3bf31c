import type { Json } from '../rest/json.ts';
import { badRequest, refuse } from './errors.ts';

/** Page lengths of one list (facts 3.2). */
export interface PageRule {
  fallback: number;
  max: number;
}

export interface PageRequest {
  /** From 1. */
  page: number;
  pagelen: number;
}

/** Too large is refused, not clamped (facts 3.1). */
export function readPagelen(query: URLSearchParams, rule: PageRule): number {
  const text = query.get('pagelen');
  if (text === null) return rule.fallback;
  const pagelen = Number(text);
  if (!Number.isInteger(pagelen) || pagelen < 1 || pagelen > rule.max) refuse(badRequest('Invalid pagelen'));
  return pagelen;
}

export function readPage(query: URLSearchParams, rule: PageRule): PageRequest {
  const text = query.get('page') ?? '1';
  const page = Number(text);
  if (!Number.isInteger(page) || page < 1) refuse(badRequest('Invalid page'));
  return { page, pagelen: readPagelen(query, rule) };
}

/** The request's own address with some parameters set or (null) left out. */
export function urlWith(
  base: string,
  query: URLSearchParams,
  changes: Record<string, string | null>,
): string {
  const next = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) next.delete(name);
    else next.set(name, value);
  }
  const text = next.toString();
  return text === '' ? base : `${base}?${text}`;
}

/**
 * The ordinary envelope: `pagelen, size, page, values`, `next` and `previous` where there are any (facts 3.1).
 * A page beyond the last is empty; only the commits of a pull request refuse it, as far as was seen.
 */
export function numberedPage(input: {
  /** Address of the list without a query. */
  base: string;
  query: URLSearchParams;
  request: PageRequest;
  size: number;
  /** Some recorded lists carry no `size` (tags, facts 3.1). */
  withoutSize?: boolean;
  render(index: number): Json;
}): Json {
  const { base, query, request, size } = input;
  const start = (request.page - 1) * request.pagelen;
  const values: Json[] = [];
  for (let index = start; index < Math.min(start + request.pagelen, size); index += 1) {
    values.push(input.render(index));
  }
  const link = (page: number): Json => JSON.stringify(urlWith(base, query, { page: String(page) }));
  const next = start + request.pagelen < size ? `,"next":${link(request.page + 1)}` : '';
  const previous = request.page > 1 ? `,"previous":${link(request.page - 1)}` : '';
  const count = input.withoutSize === true ? '' : `"size":${size},`;
  return `{"pagelen":${request.pagelen},${count}"page":${request.page},"values":[${values.join(',')}]${next}${previous}}`;
}

/** The same for a list at hand. */
export function pageOf<T>(
  input: { base: string; query: URLSearchParams; rule: PageRule; withoutSize?: boolean },
  list: readonly T[],
  render: (item: T) => Json,
): Json {
  return numberedPage({
    base: input.base,
    query: input.query,
    request: readPage(input.query, input.rule),
    size: list.length,
    ...(input.withoutSize === undefined ? {} : { withoutSize: input.withoutSize }),
    render: (index) => {
      const item = list[index];
      return item === undefined ? 'null' : render(item);
    },
  });
}

/** The iterator's envelope: `pagelen, values, next` only (facts 3.1, commits). */
export function iteratorPage(pagelen: number, values: readonly Json[], next: string | null): Json {
  return `{"pagelen":${pagelen},"values":[${values.join(',')}]${next === null ? '' : `,"next":${JSON.stringify(next)}`}}`;
}
