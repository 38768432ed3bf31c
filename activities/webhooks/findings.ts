import type { BitbucketError } from '../bitbucket/errors.ts';
import { REFUSED_HOOK_RESTS_HOURS } from '../../db/queries/webhookTargets.ts';
import type { Finding } from '../../workflows/words.ts';

/** Why there is no webhook, and what to do: changes are found by polling meanwhile. */

/**
 * When a hook without the right to it is tried again. A repository's: as Bitbucket listed what the account administers, so
 * with the next round; as it did not (to an access token it never does), each repository is asked, and one that refused
 * is left alone for long.
 */
export type TriedAgain = 'next_round' | 'after_rest';

const TRIED_AGAIN: Record<TriedAgain, string> = {
  next_round: 'it is tried again within the hour',
  after_rest: `a repository that refused is tried again after ${REFUSED_HOOK_RESTS_HOURS} hours`,
};

const giveWorkspace = (tried: TriedAgain): string =>
  `To have them, make the account an administrator of the workspace (or of its repositories) in Bitbucket: ${TRIED_AGAIN[tried]}, or at once when webhooks are registered again.`;

export const NOT_WORKSPACE_ADMIN: Finding = {
  code: 'not_workspace_admin',
  message: 'The account does not administer this workspace, so it cannot set up a webhook for all of it.',
  remedy: giveWorkspace('next_round'),
};

export const TOKEN_TOO_NARROW: Finding = {
  code: 'token_too_narrow',
  message:
    'The access token belongs to a project or repository, so it cannot set up a webhook for the workspace.',
  remedy:
    'Nothing to do where its repositories have webhooks of their own; else use a token of the workspace.',
};

export const notRepositoryAdmin = (tried: TriedAgain): Finding => ({
  code: 'not_repository_admin',
  message:
    'The account administers neither this repository nor its workspace, so it cannot set up a webhook.',
  remedy: giveWorkspace(tried),
});

/** For a hook that was set up when the account still could. */
export const adminLost = (tried: TriedAgain): Finding => ({
  code: 'admin_lost',
  message:
    'The account no longer administers what this webhook watches, so it can be neither checked nor changed.',
  remedy: `Make the account an administrator again in Bitbucket: ${TRIED_AGAIN[tried]}, or at once when webhooks are registered again. Or remove the webhook there by hand.`,
});

/** Nothing is asked of a repository that discoveries do not find any more. */
export const REPOSITORY_ABSENT: Finding = {
  code: 'repository_gone',
  message: 'Bitbucket does not show this repository any more, so its webhook tells of nothing.',
  remedy:
    'Nothing to do where it was deleted; else give the account access again: its webhook is looked up once a discovery has seen it.',
};

export const NO_EVENTS: Finding = {
  code: 'no_events_offered',
  message: 'Bitbucket offers none of the events that the services of this integration need.',
  remedy: 'An update of the engine is needed; please report it.',
};

/** Bitbucket took the request and refused what it says (400). */
export function refusedSettings({ finding }: BitbucketError): Finding {
  const fields = finding.details?.['fields'];
  if (Array.isArray(fields) && fields.includes('url')) {
    return {
      code: 'webhook_url_refused',
      message: 'Bitbucket does not take the address of the receiver for a webhook.',
      remedy:
        'The address must resolve and be reachable from the internet: the operator checks PUBLIC_WEBHOOK_URL. It is tried again within the hour.',
    };
  }
  return {
    ...finding,
    code: 'webhook_refused',
    message: 'Bitbucket refused to set up the webhook.',
    remedy:
      'Look at the webhooks of this workspace or repository in Bitbucket: it may have as many as it can. It is tried again within the hour.',
  };
}
