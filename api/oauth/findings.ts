import type { Finding } from '../../workflows/words.ts';
import { Problem } from '../problem.ts';

/** Missing, forged, used before, of somebody else, too late: one answer, so that nobody can probe. */
export const STATE_INVALID: Finding = {
  code: 'oauth_state_invalid',
  message:
    'This connection with Bitbucket was not begun here, was completed already, or took longer than 10 minutes.',
  remedy: 'Start again with Connect, and finish within 10 minutes.',
};

export const DENIED: Finding = {
  code: 'oauth_denied',
  message: 'Access was not granted at Bitbucket.',
  remedy: 'Start again with Connect and choose “Grant access”; or ask somebody who may grant it.',
};

export const notConfigured = (): Problem =>
  new Problem({
    status: 409,
    code: 'oauth_not_configured',
    detail: 'This installation has no OAuth consumer.',
    fix: 'Submit an API token or access token instead; or the operator sets BITBUCKET_OAUTH_KEY and BITBUCKET_OAUTH_SECRET.',
  });

export const completionInvalid = (): Problem =>
  new Problem({
    status: 422,
    code: STATE_INVALID.code,
    detail: STATE_INVALID.message,
    fix: STATE_INVALID.remedy,
    errors: [
      {
        location: 'body.completion',
        message: 'It is not a completion of this integration that waits.',
        fix: STATE_INVALID.remedy,
      },
    ],
  });
