import type { Limited } from '../workflows/contracts/waiting.ts';
import { type BitbucketError, FAILING } from './bitbucket/errors.ts';

/**
 * How often a list is asked for that fails by trouble that may pass, before its round goes on without it. The place in hand
 * counts that: attempts of the chunk begin anew behind each wait for Bitbucket.
 */
const MOST_TRIES = 5;
const FIRST_WAIT_MS = 5_000;

/** A place that counts the tries of the list in hand which have failed. */
interface Tried {
  tries: number;
}

const isSpent = ({ tries }: Tried): boolean => tries >= MOST_TRIES - 1;

/** Whether the list in hand is left where this try of it fails too. */
export const isLeft = (place: Tried, error: BitbucketError): boolean =>
  isSpent(place) || error.retry.kind === 'never';

/** The same place once more, 5 seconds later, then twice as long after each try. */
export function tryAgain<Place extends Tried>(place: Place): { place: Place; limited: Limited } {
  const until = new Date(Date.now() + FIRST_WAIT_MS * 2 ** place.tries).toISOString();
  return { place: { ...place, tries: place.tries + 1 }, limited: { until, why: FAILING } };
}

/** The place behind a request: where the tries of one list are spent, the others of the same step are tried once. */
export const goOn = <Place extends Tried>(place: Place): Place =>
  isSpent(place) ? place : { ...place, tries: 0 };
