import { parseMicros } from '../model/time.ts';
import { badRequest, refuse } from './errors.ts';
import { type Comparison, type Literal, parseQuery, type Query, QuerySyntaxError } from './queryParser.ts';

export type FieldValue = string | number | boolean | null;

/** A field that can be filtered or sorted by. `moment` values are microseconds. A list matches when any element does. */
export interface FilterField<T> {
  type: 'text' | 'number' | 'boolean' | 'moment';
  of(item: T): FieldValue | FieldValue[];
  /** False for what filters but does not sort. */
  sortable?: boolean;
}

export type FilterFields<T> = Record<string, FilterField<T>>;

function convert(type: FilterField<unknown>['type'], value: Literal, field: string): FieldValue {
  if (value === null) return null;
  if (type === 'moment') {
    const moment = parseMicros(String(value));
    return moment ?? refuse(badRequest(`Invalid date for field "${field}"`));
  }
  if (type === 'number') {
    const number = Number(value);
    return Number.isNaN(number) ? refuse(badRequest(`Invalid value for field "${field}"`)) : number;
  }
  return type === 'text' ? String(value) : value;
}

function equal(actual: FieldValue, wanted: FieldValue): boolean {
  return actual === wanted;
}

function contains(actual: FieldValue, wanted: FieldValue): boolean {
  return actual !== null && String(actual).toLowerCase().includes(String(wanted).toLowerCase());
}

function ordered(operator: Comparison, actual: FieldValue, wanted: FieldValue): boolean {
  if (actual === null || wanted === null) return false;
  if (operator === '>') return actual > wanted;
  if (operator === '>=') return actual >= wanted;
  if (operator === '<') return actual < wanted;
  return actual <= wanted;
}

function matches(operator: Comparison, actual: FieldValue[], wanted: FieldValue[]): boolean {
  const first = wanted[0] ?? null;
  switch (operator) {
    case '=':
      return first === null && actual.length === 0 ? true : actual.some((value) => equal(value, first));
    case '!=':
      return !matches('=', actual, wanted);
    case '~':
      return actual.some((value) => contains(value, first));
    case '!~':
      return !actual.some((value) => contains(value, first));
    case 'IN':
      return actual.some((value) => wanted.includes(value));
    case 'NOT IN':
      return !actual.some((value) => wanted.includes(value));
    default:
      return actual.some((value) => ordered(operator, value, first));
  }
}

function compile<T>(query: Query, fields: FilterFields<T>): (item: T) => boolean {
  if (query.kind !== 'compare') {
    const left = compile(query.left, fields);
    const right = compile(query.right, fields);
    return query.kind === 'and' ? (item) => left(item) && right(item) : (item) => left(item) || right(item);
  }
  const field = Object.hasOwn(fields, query.field) ? fields[query.field] : undefined;
  if (field === undefined) return refuse(badRequest(`Field "${query.field}" does not support filtering`));
  const wanted = query.values.map((value) => convert(field.type, value, query.field));
  return (item) => {
    const actual = field.of(item);
    return matches(query.operator, Array.isArray(actual) ? actual : [actual], wanted);
  };
}

/** The predicate of a `q`; undefined without one. Refuses with 400 what cannot be read or filtered by (facts 3.3). */
export function readFilter<T>(
  query: URLSearchParams,
  fields: FilterFields<T>,
): ((item: T) => boolean) | undefined {
  const text = query.get('q');
  if (text === null || text.trim() === '') return undefined;
  try {
    return compile(parseQuery(text), fields);
  } catch (error) {
    if (error instanceof QuerySyntaxError) refuse(badRequest(`Invalid query: ${error.message}`));
    throw error;
  }
}

/** Puts a list in the order of a `sort`; undefined without one. Equal values keep the list's own order. */
export function readSort<T>(
  query: URLSearchParams,
  fields: FilterFields<T>,
): ((items: readonly T[]) => T[]) | undefined {
  const text = query.get('sort');
  if (text === null || text === '') return undefined;
  const name = text.replace(/^-/, '');
  const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
  if (field === undefined || field.sortable === false) {
    return refuse(badRequest(`Field "${name}" does not support sorting`));
  }
  const direction = text.startsWith('-') ? -1 : 1;
  const key = (item: T): FieldValue => {
    const value = field.of(item);
    return Array.isArray(value) ? (value[0] ?? null) : value;
  };
  const compare = (first: FieldValue, second: FieldValue): number => {
    if (first === second) return 0;
    if (first === null) return direction;
    if (second === null) return -direction;
    return first < second ? -direction : direction;
  };
  // Each value is read once: lists have up to 100,000 entries.
  return (items) =>
    items
      .map((item) => ({ item, key: key(item) }))
      .toSorted((left, right) => compare(left.key, right.key))
      .map(({ item }) => item);
}
