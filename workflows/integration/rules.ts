import type { IntegrationSnapshot } from '../messages.ts';
import type { Refusal } from '../refused.ts';
import type { CommitSource, IntegrationState, Service } from '../words.ts';

export type Command =
  | 'submitCredential'
  | 'completeOauth'
  | 'create'
  | 'rename'
  | 'changeServices'
  | 'changeAutoImport'
  | 'discover'
  | 'settleVanished'
  | 'registerWebhooks'
  | 'removeWebhooks'
  | 'startImport'
  | 'reviveImport'
  | 'retryFailed'
  | 'pause'
  | 'resume'
  | 'deleteDraft';

const DRAFT_STATES: readonly IntegrationState[] = ['awaiting_credential', 'checking', 'connected'];

/** Before `create`: nothing was imported, and it may expire. */
export const isDraft = (state: IntegrationState): boolean => DRAFT_STATES.includes(state);

const disconnecting: Refusal = {
  code: 'disconnecting',
  message: 'The integration is being removed.',
  fix: 'Connect again with a new integration.',
};
const needsCreate: Refusal = {
  code: 'needs_create',
  message: 'The integration is not created yet.',
  fix: 'Connect it, then create it with a name and its services.',
};
const importNeedsCreate: Refusal = { ...needsCreate, code: 'import_needs_create' };
const paused: Refusal = {
  code: 'paused',
  message: 'The integration is paused.',
  fix: 'Resume it first.',
};
const needsCredential: Refusal = {
  code: 'needs_credential',
  message: 'Bitbucket refused the credential of this integration.',
  fix: 'Submit a new credential first.',
};
const needsConnection: Refusal = {
  code: 'needs_connection',
  message: 'The integration has no credential that passed its connection check.',
  fix: 'Submit a credential, or complete OAuth, and wait for the check to pass.',
};
const alreadyCreated: Refusal = {
  code: 'already_created',
  message: 'The integration is created already.',
  fix: 'Rename it with PATCH; a created integration is no draft any more.',
};

/** What a created integration must be in to do its work. */
function refuseUnlessActive(state: IntegrationState, draft: Refusal): Refusal | null {
  if (isDraft(state)) return draft;
  if (state === 'paused') return paused;
  return state === 'needs_credential' ? needsCredential : null;
}

const allowed = (): null => null;
const refuseDraft = (state: IntegrationState): Refusal | null => (isDraft(state) ? needsCreate : null);
const refuseDraftOrDead = (state: IntegrationState): Refusal | null =>
  refuseDraft(state) ?? (state === 'needs_credential' ? needsCredential : null);

const RULES: Record<Command, (state: IntegrationState) => Refusal | null> = {
  submitCredential: allowed,
  completeOauth: allowed,
  create: (state) => (state === 'awaiting_credential' || state === 'checking' ? needsConnection : null),
  rename: refuseDraft,
  changeServices: refuseDraft,
  // Also while it is paused: what the rules take is imported when it goes on.
  changeAutoImport: refuseDraft,
  discover: (state) => refuseUnlessActive(state, needsCreate),
  // What was found stands, whether or not it goes on at this moment.
  settleVanished: refuseDraft,
  registerWebhooks: (state) => refuseUnlessActive(state, needsCreate),
  // Also while it is paused, or Bitbucket refuses its credential: what cannot be removed there is let go.
  removeWebhooks: refuseDraft,
  startImport: (state) => refuseUnlessActive(state, importNeedsCreate),
  // Also while it is paused: an import can be cancelled then.
  reviveImport: refuseDraft,
  retryFailed: (state) => refuseUnlessActive(state, importNeedsCreate),
  pause: refuseDraftOrDead,
  resume: refuseDraftOrDead,
  deleteDraft: (state) => (isDraft(state) ? null : alreadyCreated),
};

/**
 * Whether the state forbids the command (design section 5). What it allows may still change nothing:
 * the same command twice is no error.
 */
export function refuseByState(command: Command, state: IntegrationState): Refusal | null {
  return state === 'disconnecting' ? disconnecting : RULES[command](state);
}

/**
 * Whether a created integration may be removed: `confirm` must be its name, also while it is being removed already.
 */
export function refuseDisconnect(
  { state, name }: Pick<IntegrationSnapshot, 'state' | 'name'>,
  confirm: string,
): Refusal | null {
  if (isDraft(state) || name === null) return needsCreate;
  return confirm === name
    ? null
    : {
        code: 'confirm_mismatch',
        message: 'What was sent as confirmation is not the name of the integration.',
        fix: `Send confirm=${encodeURIComponent(name)} to remove it with all of its data.`,
      };
}

const nameInvalid: Refusal = {
  code: 'name_invalid',
  message: 'A name has 1 to 100 characters and is not blank.',
  fix: 'Give a name of 1 to 100 characters.',
};

/** Length in code points, as Postgres counts. */
export function refuseName(name: string): Refusal | null {
  const length = Array.from(name).length;
  return length >= 1 && length <= 100 && name.trim() !== '' ? null : nameInvalid;
}

const sameServices = (one: readonly Service[], other: readonly Service[]): boolean =>
  one.length === other.length && one.every((service) => other.includes(service));

const nothingChosen = (offered: readonly Service[]): Refusal => ({
  code: 'nothing_chosen',
  message: 'No service is chosen.',
  fix: `Choose at least one of: ${offered.join(', ')}.`,
});

const notAllowed = (missing: readonly Service[]): Refusal => ({
  code: 'service_not_allowed',
  message: `The credential does not allow: ${missing.join(', ')}.`,
  fix: 'Leave it out, or submit a credential with the scopes that the connection check names.',
});

/**
 * Why the services cannot be these. One that is on may stay so whatever the credential allows: switching it off is
 * another wish.
 */
export function refuseServices(snapshot: IntegrationSnapshot, services: readonly Service[]): Refusal | null {
  const byState = refuseByState('changeServices', snapshot.state);
  if (byState !== null) return byState;
  const { allowedServices, services: on } = snapshot;
  if (services.length === 0) return nothingChosen([...new Set([...on, ...allowedServices])]);
  const missing = services.filter((service) => !on.includes(service) && !allowedServices.includes(service));
  return missing.length > 0 ? notAllowed(missing) : null;
}

interface Wanted {
  name: string;
  services: Service[] | null;
  commitSource?: CommitSource | undefined;
}

/** `create` of what is created already, with the same wishes: answers again, changes nothing. */
export const isSameCreate = (snapshot: IntegrationSnapshot, wanted: Wanted): boolean =>
  !isDraft(snapshot.state) &&
  snapshot.name === wanted.name &&
  (snapshot.commitSource ?? 'git') === (wanted.commitSource ?? 'git') &&
  (wanted.services === null || sameServices(snapshot.services, wanted.services));

/** Everything that `create` may be refused for; a taken name shows only when the row is written. */
export function refuseCreate(snapshot: IntegrationSnapshot, wanted: Wanted): Refusal | null {
  const byState = refuseByState('create', snapshot.state);
  if (byState !== null) return byState;
  if (isSameCreate(snapshot, wanted)) return null;
  if (!isDraft(snapshot.state)) return alreadyCreated;
  const chosen = wanted.services ?? snapshot.allowedServices;
  if (chosen.length === 0) return nothingChosen(snapshot.allowedServices);
  const missing = chosen.filter((service) => !snapshot.allowedServices.includes(service));
  return missing.length > 0 ? notAllowed(missing) : refuseName(wanted.name);
}
