import type { Finding } from '../../workflows/words.ts';
import { CONSUMER, RateLimited } from './errors.ts';

/** How soon after the operator mended it what waits goes on. */
const LOOKS_AGAIN_MS = 5 * 60_000;

/**
 * The installation's OAuth consumer is not there, not taken, or cannot be asked. That says nothing of the access it would
 * renew, which nobody has to give anew: what needs it waits, and looks again by itself.
 */
export const consumerTrouble = (finding: Finding): RateLimited =>
  new RateLimited({ finding, why: CONSUMER, until: new Date(Date.now() + LOOKS_AGAIN_MS).toISOString() });

/** `error`: `invalid_client` and the like, by which the token endpoint refuses whoever asks. */
export const consumerRefused = (error: string): Finding => ({
  code: 'oauth_consumer_refused',
  message: `Bitbucket does not accept the OAuth consumer of this installation (${error}).`,
  remedy: 'The operator must check BITBUCKET_OAUTH_KEY and BITBUCKET_OAUTH_SECRET.',
});
