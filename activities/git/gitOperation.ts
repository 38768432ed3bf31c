import type { Asker } from '../bitbucket/asker.ts';
import { BitbucketError, RateLimited, Unreachable } from '../bitbucket/errors.ts';
import type { RequestGate } from '../bitbucket/requestGate.ts';
import { readGitFailure } from './failures.ts';

/**
 * What one clone or fetch takes from the window of git operations. Bitbucket does not say what it counts (facts 4.3); if
 * it is HTTP requests: the list of services, the refs, the pack, and one more round where git and host look for what
 * they have in common (measured; the first one without a log-in is refused and not counted).
 */
export const REQUESTS_OF_AN_OPERATION = 4;

/** All requests of an operation have arrived by then, however long the pack takes to come. */
const ARRIVED_MS = 10 * 60_000;
const MAX_WAIT_MS = 5_000;

/**
 * Runs a clone or fetch inside the budget of git operations, and reports how it ended as the API client does. Throws
 * RateLimited where there is no room, or at a 429.
 */
export async function gitOperation<T>(
  gate: RequestGate,
  request: { accountKey: string; asker: Asker; signal: AbortSignal },
  run: () => Promise<T>,
): Promise<T> {
  const permit = await gate.take({
    ...request,
    group: 'git_operations',
    requests: REQUESTS_OF_AN_OPERATION,
    deadlineMs: ARRIVED_MS,
    maxWaitMs: MAX_WAIT_MS,
  });
  try {
    const result = await run();
    await permit.answered({ status: 200, headers: new Headers() });
    return result;
  } catch (error) {
    const failure = readGitFailure(error, '');
    // A worker that does not get to the host says nothing of the host.
    if (failure instanceof Unreachable && !failure.neverLeft) await permit.failed();
    // Without a status (called off, a full disk, no way to the host) the requests may have arrived or not: they run out by themselves.
    if (!(failure instanceof BitbucketError) || failure.status === undefined) throw error;
    const { blockedUntil: until } = await permit.answered({ status: failure.status, headers: new Headers() });
    if (!(failure instanceof RateLimited)) throw error;
    const { finding, why } = failure;
    throw new RateLimited({ status: 429, until: until ?? failure.until, why, finding });
  }
}
