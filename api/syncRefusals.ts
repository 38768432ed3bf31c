import { Problem } from './problem.ts';

/** Nothing is fetched for an integration in this state. */
export const notActive = (state: string): Problem =>
  new Problem({
    status: 409,
    code: 'integration_not_active',
    detail: `The integration is ${state}: nothing is fetched.`,
    fix: FIX[state] ?? 'Submit a credential, and create the integration.',
  });

/** Nothing is fetched of what Bitbucket does not show any more. */
export const repositoryAbsent = (presence: 'gone' | 'no_access', integrationId: string): Problem =>
  new Problem({
    status: 409,
    code: presence === 'gone' ? 'repository_gone' : 'repository_out_of_reach',
    detail:
      presence === 'gone'
        ? 'The repository is gone: Bitbucket does not show it any more. What was imported stays.'
        : 'The repository is out of reach of the account that fetches it. What was imported stays.',
    fix: `If it is there again, POST /v1/integrations/${integrationId}/discover finds it.`,
  });

const FIX: Record<string, string> = {
  needs_credential: 'Submit a new credential; what changed meanwhile is then brought in.',
  paused: 'Resume the integration; what changed meanwhile is then brought in.',
  disconnecting: 'It is being deleted: connect again with a new integration.',
};
