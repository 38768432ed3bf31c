import { randomUUID } from 'node:crypto';

/** A caller may name the request, so that its log and ours meet; anything else gets a fresh id. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;

export const requestIdOf = (given: string | undefined): string =>
  given !== undefined && REQUEST_ID.test(given) ? given : randomUUID();
