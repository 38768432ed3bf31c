import { Problem } from './problem.ts';

/** Nothing is fetched for an integration in this state. */
export const notActive = (state: string): Problem =>
  new Problem({
    status: 409,
    code: 'integration_not_active',
    detail: `The integration is ${state}: nothing is fetched.`,
    fix: FIX[state] ?? 'Submit a credential, and create the integration.',
  });

const FIX: Record<string, string> = {
  needs_credential: 'Submit a new credential; what changed meanwhile is then brought in.',
  paused: 'Resume the integration; what changed meanwhile is then brought in.',
  disconnecting: 'It is being deleted: connect again with a new integration.',
};
