import { activityInfo, log } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import { readClock } from '../../db/queries/clock.ts';
import * as queries from '../../db/queries/webhookRemovals.ts';
import { noteHook } from '../../db/queries/webhookTargets.ts';
import { readUpkeep, stopUpkeep, type Upkeep } from '../../db/queries/webhookUpkeep.ts';
import type { Secret } from '../../platform/secrets/secret.ts';
import { webhookSecret } from '../../platform/secrets/webhookSecret.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import type { WebhookActivities } from '../../workflows/contracts/webhooks.ts';
import { walker, webhooksConsumer } from '../bitbucket/asker.ts';
import type { BitbucketClient, BitbucketWriter, CredentialRef } from '../bitbucket/client.ts';
import { tokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { CredentialUnusable, FAILING, NotWanted, RateLimited } from '../bitbucket/errors.ts';
import { createHooks } from '../bitbucket/hooks.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import { EngineError } from '../engineError.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { watchState } from '../integrations/stateWatch.ts';
import { workflowId } from '../workflowId.ts';
import { createHookKeeper } from './keepHook.ts';
import { mayPass } from '../bitbucket/mayPass.ts';
import { createReceiver } from './receiver.ts';
import { createHookRemover } from './removeHook.ts';
import { createUpkeepWalk, placeSchema, startOf, type Place } from './upkeepWalk.ts';

export interface WebhookDependencies {
  database: Database;
  client: BitbucketClient & BitbucketWriter;
  credentials: CredentialStore;
  /** the secrets of hooks are derived from it */
  webhookKey: Secret;
  /** the api's address as Bitbucket reaches it; undefined: not at all */
  publicUrl: string | undefined;
  /** base of Bitbucket's API */
  apiUrl: string;
  /** a chunk ends after so many steps (default 25) or so long (default three minutes) */
  maxSteps?: number;
  maxMs?: number;
  /** how long the secret before a rotation is taken; default an hour: Bitbucket sends a delivery again within minutes */
  graceMs?: number;
}

/** After so many attempts of a chunk, trouble with one hook keeps the others waiting no longer. */
const PATIENT_ATTEMPTS = 5;
/** What trouble kept from being removed is asked for again so much later. */
const REMOVED_AGAIN_AFTER_MS = 5 * 60_000;
const REMOVING = 'removing';

/** Registers, checks, mends and removes the webhooks of integrations. */
export function createWebhookActivities(dependencies: WebhookDependencies): WebhookActivities {
  const { database, client, credentials, webhookKey, publicUrl, apiUrl } = dependencies;
  const { maxSteps = 25, maxMs = 180_000, graceMs = 3_600_000 } = dependencies;
  const receiver = createReceiver({ publicUrl, apiUrl });
  const isImpatient = (): boolean => activityInfo().attempt >= PATIENT_ATTEMPTS;

  const hooksWith = (
    integrationId: string,
    credential: CredentialRef,
    signal: AbortSignal,
    { evenIfRefused = false, asking = client } = {},
  ) => {
    const asker = walker(webhooksConsumer(integrationId), workflowId());
    return { asker, hooks: createHooks({ client: asking, credential, asker, signal, evenIfRefused }) };
  };

  /**
   * One step after the other until `step` says that it was the last (null), the chunk is full, a limit is met, or it shall
   * go on no more.
   */
  async function inChunk<P>(
    start: P,
    step: (place: P) => Promise<P | null>,
    goesOn: () => Promise<boolean> = () => Promise.resolve(true),
  ): Promise<{ place: P | null; steps: number; limited: { limited?: Limited } }> {
    const endsMs = performance.now() + maxMs;
    let place: P | null = start;
    let steps = 0;
    try {
      for (; place !== null && steps < maxSteps && performance.now() < endsMs; steps += 1) {
        if (!(await goesOn())) break;
        place = await step(place);
      }
    } catch (error) {
      // It waited for the limit, and shall go on no more.
      if (error instanceof NotWanted) return { place, steps, limited: {} };
      if (!(error instanceof RateLimited)) throw error;
      return { place, steps, limited: { limited: { until: error.until, why: error.why } } };
    }
    return { place, steps, limited: {} };
  }

  async function keep(
    { organizationId, integrationId }: OfIntegration,
    upkeep: Upkeep,
    start: Place,
    signal: AbortSignal,
  ) {
    if (receiver.unavailable !== null) throw new EngineError('WebhooksUnavailable', receiver.unavailable);
    const credential = await credentials.ofIntegration({ organizationId, integrationId });
    const { kind, fields } = await credentials.facts(credential);
    const isActive = watchState(database, { organizationId, integrationId });
    const asking: typeof client = {
      get: (request) => client.get({ ...request, stillWanted: isActive }),
      write: (request) => client.write({ ...request, stillWanted: isActive }),
    };
    const { asker, hooks } = hooksWith(integrationId, credential, signal, { asking });
    const common = { database, organizationId, integrationId, hooks, receiver };
    const secretOf = (generation: number): string => webhookSecret(webhookKey, { integrationId, generation });
    const walk = createUpkeepWalk({
      ...common,
      client: asking,
      credential,
      asker,
      signal,
      target: kind === 'access_token' ? tokenTarget(fields) : undefined,
      keeper: createHookKeeper({ ...common, secretOf, graceMs }),
      remove: createHookRemover({ ...common, evenIfRefused: false }),
      upkeep,
      impatient: isImpatient(),
    });
    return inChunk(start, walk, isActive);
  }

  /** The credential that removes, where there is one. */
  async function removalHooks({ organizationId, integrationId }: OfIntegration, signal: AbortSignal) {
    try {
      const credential = await credentials.ofIntegration({ organizationId, integrationId });
      return hooksWith(integrationId, credential, signal, { evenIfRefused: true }).hooks;
    } catch (error) {
      if (error instanceof CredentialUnusable) return null;
      throw error;
    }
  }

  async function removeSome(integration: OfIntegration, repositoryId: string | null, signal: AbortSignal) {
    const { organizationId, integrationId } = integration;
    const removals = { integrationId, repositoryId };
    const since = await database.transaction(organizationId, async (tx) => {
      await queries.removeAll(tx, removals);
      return readClock(tx);
    });
    const hooks = await removalHooks(integration, signal);
    const remove = createHookRemover({
      database,
      organizationId,
      integrationId,
      receiver,
      evenIfRefused: true,
      hooks,
    });
    const counts = { removed: 0, outOfReach: 0 };
    let again: { limited?: Limited } = {};
    const { limited } = await inChunk(removals, async (place) => {
      const row = await database.transaction(organizationId, (tx) =>
        queries.nextRemoval(tx, { ...removals, since }),
      );
      if (row === undefined) return null;
      try {
        const removed = await remove(row);
        counts[removed ? 'removed' : 'outOfReach'] += 1;
        if (!removed) log.warn('A webhook could not be removed at Bitbucket', { webhook: row.id });
      } catch (error) {
        if (!isImpatient() || !mayPass(error)) throw error;
        const { finding } = error;
        await database.transaction(organizationId, (tx) =>
          noteHook(tx, { id: row.id, state: 'failed', error: finding }),
        );
        const until = new Date(Date.now() + REMOVED_AGAIN_AFTER_MS).toISOString();
        again = { limited: { until, why: FAILING } };
      }
      return place;
    });
    const left = await database.transaction(organizationId, (tx) => queries.countRemovals(tx, removals));
    return { left, ...counts, ...again, ...limited };
  }

  return {
    keepWebhooksChunk: ({ organizationId, integrationId, cursor }) =>
      withHeartbeats(async (signal) => {
        const integration = { organizationId, integrationId };
        const upkeep = await database.transaction(organizationId, (tx) => readUpkeep(tx, integrationId));
        const nothing = { cursor: null, more: false, steps: 0 };
        if (upkeep === undefined || upkeep.integrationState === 'disconnecting') {
          return { ...nothing, off: true };
        }
        if (!upkeep.wanted) {
          const { left, removed, outOfReach, ...limited } = await removeSome(integration, null, signal);
          const more = left > 0;
          return {
            cursor: more ? REMOVING : null,
            more,
            off: !more,
            steps: removed + outOfReach,
            ...limited,
          };
        }
        // It goes on by itself with the round after: hooks that are there deliver meanwhile.
        if (upkeep.integrationState !== 'active') {
          return { ...nothing, off: false, resting: upkeep.integrationState };
        }
        const begins = cursor === null || cursor === REMOVING;
        const start = begins ? startOf(upkeep.now) : placeSchema.parse(JSON.parse(cursor));
        const { place, steps, limited } = await keep(integration, upkeep, start, signal);
        const waited = limited.limited?.why === FAILING ? 1 : 0;
        return {
          cursor: place === null ? null : JSON.stringify({ ...place, tries: place.tries + waited }),
          more: place !== null,
          off: false,
          steps,
          ...limited,
        };
      }),

    removeWebhooks: ({ organizationId, integrationId, repositoryId }) =>
      withHeartbeats(async (signal) => {
        if (repositoryId === null) {
          await database.transaction(organizationId, (tx) => stopUpkeep(tx, integrationId));
        }
        return removeSome({ organizationId, integrationId }, repositoryId, signal);
      }),
  };
}
