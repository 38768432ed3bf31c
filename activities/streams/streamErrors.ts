import type { RepositorySource } from '../../db/queries/importProgress.ts';
import { type Finding, SERVICES, type Stream, STREAMS_OF_SERVICE } from '../../workflows/words.ts';
import { BitbucketError, Forbidden, ScopeMissing } from '../bitbucket/errors.ts';
import { PageRefused } from './pageRefused.ts';
import { namedPlace } from './replaced.ts';
import type { Place } from './streamReader.ts';

/** What an error that ended the reading of a stream says of that stream and of those beside it. */

export const isOfTracker = (stream: Stream): boolean => STREAMS_OF_SERVICE.tickets.includes(stream);

/** The list of a repository's tickets, without its query. */
const TICKET_LIST = /^\/repositories\/[^/]+\/[^/]+\/issues$/;

/**
 * Whether an error that stands says that there is no tracker (any more): its list of all is not there. A ticket's own list
 * says nothing, until the ticket was looked for in that one.
 */
export const saysNoTracker = (stream: Stream, { type, path }: BitbucketError): boolean =>
  isOfTracker(stream) && (type === 'FeatureGone' || type === 'NotFound') && TICKET_LIST.test(path ?? '');

/**
 * What must be shown before it is believed that there is no tracker: the repository, since a deleted one, or a host in
 * trouble, answers for its lists in the same way. A 410 is said of the tracker alone.
 */
export const trackerGoneIf = (
  stream: Stream,
  source: RepositorySource,
  error: BitbucketError,
): Place | undefined =>
  saysNoTracker(stream, error) && error.type === 'NotFound' ? namedPlace(source) : undefined;

/** In which state an error leaves a stream; undefined: in the one it is in. */
export function stateAfter(
  stream: Stream,
  error: unknown,
): { state: 'rate_limited' | 'failed' | 'unavailable'; error: Finding } | undefined {
  if (error instanceof PageRefused) return { state: 'failed', error: error.finding };
  if (!(error instanceof BitbucketError)) return undefined;
  if (error.type === 'RateLimited') return { state: 'rate_limited', error: error.finding };
  if (saysNoTracker(stream, error)) return { state: 'unavailable', error: error.finding };
  // One 401 proves nothing (it may be a brownout), and an outage passes: the workflow waits, the stream did not fail.
  const passes =
    error.retry.kind === 'always' || error.type === 'AuthRefused' || error.type === 'CredentialUnusable';
  return passes ? undefined : { state: 'failed', error: error.finding };
}

/** One request that failed on its way, or its answer did: the next chunk asks for it again. */
export const mayPassAtOnce = (error: unknown): boolean =>
  error instanceof BitbucketError &&
  (error.retry.kind === 'always' || (error.retry.kind === 'limited' && error.retry.readsOn !== true));

/**
 * The streams that an error closes alone. A scope, or a right, is of one service: whoever may not read pull requests may
 * read tickets. The streams of a service build on each other, so none of it is read. None: it is no such error.
 */
export function refusedWith(stream: Stream, error: unknown): readonly Stream[] {
  if (!(error instanceof ScopeMissing || error instanceof Forbidden)) return [];
  return SERVICES.map((service) => STREAMS_OF_SERVICE[service]).find((of) => of.includes(stream)) ?? [];
}
