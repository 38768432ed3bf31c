import { invalidRequest } from '../problem.ts';
import { givenTime } from './shared.ts';

/** Body of what syncs: an old range again. */
export const since = givenTime.optional().meta({
  description:
    'reads again what changed at the source since then, also what was read before (RFC 3339, in the past); left out: since the last time',
});

/** Throws a 422 for a time that has not come yet. */
export function refuseFuture(wanted: string | undefined): void {
  if (wanted === undefined || Date.parse(wanted) <= Date.now()) return;
  throw invalidRequest(422, [
    {
      location: 'body.since',
      message: 'Nothing has changed since a time that has not come yet.',
      fix: 'Give a time in the past, or leave it out.',
    },
  ]);
}
