import type { Client } from '@temporalio/client';
import { log } from '@temporalio/activity';
import { effectiveIntervalMs, rotationBatch } from '../../forecast/polling.ts';
import type { Database, Transaction } from '../../db/client.ts';
import { readAllowance } from '../../db/queries/allowance.ts';
import { readClock } from '../../db/queries/clock.ts';
import { holdIntegration } from '../../db/queries/discovery.ts';
import { insertAuditEvent } from '../../db/queries/integrations.ts';
import { listKept } from '../../db/queries/poll/keptRepositories.ts';
import { judgeAwaited } from '../../db/queries/poll/missingDeliveries.ts';
import {
  endPoll,
  readAccountKey,
  readBegunPlace,
  readPollPlan,
  readRequestsOfOthers,
  startPoll,
  stretchPolls,
} from '../../db/queries/poll/rounds.ts';
import { readDiscoveryAge } from '../../db/queries/presence.ts';
import { isUpkeepLost } from '../../db/queries/webhookUpkeep.ts';
import type { OfIntegration } from '../../workflows/contracts/tenant.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import type { PollActivities, PollQuestions } from '../../workflows/contracts/polls.ts';
import { POLL_STOPPED } from '../../workflows/findings.ts';
import { SERVICES, type Service } from '../../workflows/words.ts';
import { pollConsumer, walker } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { tokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { NotWanted, RateLimited } from '../bitbucket/errors.ts';
import { mayPass } from '../bitbucket/mayPass.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { type DiscoveryPlan, isDiscoveryDue } from '../presence/discoveryDue.ts';
import { OVERLAP_MS } from '../streams/instants.ts';
import { watchState } from '../integrations/stateWatch.ts';
import { goOn, tryAgain } from '../tries.ts';
import { workflowId } from '../workflowId.ts';
import { createTellSyncs, type TellSyncs } from './hints.ts';
import { placeSchema, type Place } from './place.ts';
import { createPollWalk } from './pollWalk.ts';
import { schedulePolls, unschedulePolls } from './schedule.ts';

export interface PollDependencies {
  database: Database;
  /** of Temporal */
  client: Client;
  /** of the workflows */
  taskQueue: string;
  /** milliseconds between the begins of two rounds; 0: none come by themselves */
  intervalMs: number;
  /** when a round begins a discovery too */
  discovery: Omit<DiscoveryPlan, 'integrationId'>;
}

/** How many repositories are told in one go when a person wants all of them. */
const TOLD_AT_ONCE = 500;
/** A schedule's round may come a little early for the interval that the allowance asks for. */
const EARLY_MS = 30_000;

/** Rows of poll rounds. Each may run again after its answer was lost. */
export function createPollActivities(dependencies: PollDependencies): PollActivities {
  const { database, client, taskQueue, intervalMs, discovery } = dependencies;
  const tell = createTellSyncs(client, taskQueue);

  /** Between rounds of so many requests, at the allowance of the account and beside its other integrations. */
  async function intervalOf(tx: Transaction, of: OfIntegration & { requests: number }): Promise<number> {
    const accountKey = await readAccountKey(tx, of);
    const allowance =
      accountKey === null ? undefined : await readAllowance(tx, { accountKey, group: 'repository_data' });
    if (accountKey === null || allowance === undefined) return intervalMs;
    const { limit, windowMs } = allowance;
    const requestsOfOthers = await readRequestsOfOthers(tx, { ...of, accountKey });
    return effectiveIntervalMs({ intervalMs, requests: of.requests, requestsOfOthers, limit, windowMs });
  }

  return {
    beginPoll: ({ atOnce, run = null, ...integration }) =>
      database.transaction(integration.organizationId, async (tx) => {
        const plan = await readPollPlan(tx, integration);
        if (plan === undefined) return { due: false, why: 'the integration is not there any more' };
        if (plan.state !== 'active') return { due: false, why: `the integration is ${plan.state}` };
        const last = await readDiscoveryAge(tx, integration);
        const besides = {
          ...(isDiscoveryDue({ ...integration, ...discovery }, last) ? { discover: true as const } : {}),
          ...((await isUpkeepLost(tx, integration.integrationId)) ? { keepWebhooks: true as const } : {}),
        };
        if (plan.repositories === 0) return { due: false, why: 'nothing is imported yet', ...besides };
        const begun = run === null ? null : await readBegunPlace(tx, { ...integration, run });
        if (begun !== null) return { due: true, place: begun, ...besides };
        const { sinceMs, repositories } = plan;
        const asked = plan.effectiveIntervalMs ?? intervalMs;
        // Another integration of the account may have begun since.
        const needed = await intervalOf(tx, { ...integration, requests: plan.requests ?? 0 });
        const effective = Math.max(asked, needed);
        if (effective > asked) await stretchPolls(tx, { ...integration, effectiveIntervalMs: effective });
        const isEarly = sinceMs !== null && effective > intervalMs && sinceMs + EARLY_MS < effective;
        if (isEarly && !atOnce)
          return { due: false, why: 'the allowance is too small for a round already', ...besides };
        const first: Place = {
          step: 'missed',
          workspaceId: null,
          began: null,
          incomplete: false,
          given: false,
          withheld: false,
          after: null,
          next: null,
          pages: 0,
          tries: 0,
          startedAt: await readClock(tx),
          rotationLeft: rotationBatch({
            repositories,
            sinceMs: sinceMs ?? effective,
            intervalMs: effective,
          }),
        };
        const place = JSON.stringify(first);
        await startPoll(tx, { ...integration, run, place });
        return { due: true, place, ...besides };
      }),

    finishPoll: ({ requests, found, error, ...integration }) =>
      database.transaction(integration.organizationId, async (tx) => {
        const plan = await readPollPlan(tx, integration);
        if (plan === undefined) return;
        // One that broke off has not asked all that a round asks, so it does not say what the next one takes.
        const atLeast = error === null ? 0 : (plan.requests ?? 0);
        const known = { requests: Math.max(requests ?? 0, atLeast), found };
        const interval = await intervalOf(tx, { ...integration, ...known });
        await endPoll(tx, { ...integration, ...known, effectiveIntervalMs: interval, error });
        for (const hook of await judgeAwaited(tx, { ...integration, apartMs: OVERLAP_MS }))
          await insertAuditEvent(tx, {
            ...integration,
            action: 'webhook_deliveries_missing',
            actor: null,
            details: hook,
          });
      }),

    syncEach: ({ after, ...integration }) =>
      withHeartbeats(async (signal) => {
        const { plan, next } = await database.transaction(integration.organizationId, async (tx) => ({
          plan: await readPollPlan(tx, integration),
          next: await listKept(tx, { ...integration, after, limit: TOLD_AT_ONCE }),
        }));
        const services = SERVICES.filter((service) => plan?.services.includes(service));
        await tell(integration, { repositories: next, services, by: 'person' }, signal);
        const last = next.length < TOLD_AT_ONCE ? undefined : next.at(-1);
        return { after: last?.repositoryId ?? null, told: next.length };
      }),

    schedulePolls: async ({ name, active, ...integration }) => {
      // One that rests since before would be there still when rounds are wanted again.
      if (intervalMs === 0) {
        await unschedulePolls(client, integration.integrationId);
        return;
      }
      await schedulePolls(client, { ...integration, taskQueue, name, active, intervalMs });
      // Whoever removes it has deleted the schedule before, or does not know of this one.
      const isKept = await database.transaction(integration.organizationId, (tx) =>
        holdIntegration(tx, integration),
      );
      if (!isKept) await unschedulePolls(client, integration.integrationId);
    },
  };
}

export interface PollQuestionDependencies {
  database: Database;
  bitbucket: BitbucketClient;
  credentials: CredentialStore;
  tell: TellSyncs;
  /** a chunk ends after so many requests (default 25), steps (default 500) or so long (default three minutes) */
  maxRequests?: number;
  maxSteps?: number;
  maxMs?: number;
  /** so often a chunk looks whether the integration is still active, milliseconds; default two seconds */
  lookEveryMs?: number;
}

/** What a poll round asks Bitbucket. */
export function createPollQuestions(dependencies: PollQuestionDependencies): PollQuestions {
  const { database, bitbucket, credentials, tell } = dependencies;
  const { maxRequests = 25, maxSteps = 500, maxMs = 180_000, lookEveryMs } = dependencies;
  return {
    pollChunk: ({ place: from, ...integration }) =>
      withHeartbeats(async (signal) => {
        const plan = await database.transaction(integration.organizationId, (tx) =>
          readPollPlan(tx, integration),
        );
        if (plan?.state !== 'active') return { place: null, requests: 0, found: 0, stopped: POLL_STOPPED };
        const credential = await credentials.ofIntegration(integration);
        const { kind, fields } = await credentials.facts(credential);
        const services: Service[] = plan.services;
        const isActive = watchState(database, integration, lookEveryMs);
        const walk = createPollWalk({
          database,
          client: { get: (request) => bitbucket.get({ ...request, stillWanted: isActive }) },
          integration,
          services,
          credential,
          asker: walker(pollConsumer(integration.integrationId), workflowId()),
          target: kind === 'access_token' ? tokenTarget(fields) : undefined,
          tell,
          signal,
        });
        let place: Place | null = placeSchema.parse(JSON.parse(from));
        let limited: Limited | undefined;
        let [requests, found] = [0, 0];
        const endsMs = performance.now() + maxMs;
        for (let steps = 0; place !== null && requests < maxRequests && steps < maxSteps; steps += 1) {
          if (performance.now() > endsMs) break;
          // Paused meanwhile: the next chunk finds it so, and ends the round.
          if (!(await isActive())) break;
          const inHand: Place = place;
          try {
            const step = await walk.step(inHand);
            place = step.place === null ? null : goOn(step.place);
            requests += step.requests;
            found += step.found;
          } catch (error) {
            if (error instanceof RateLimited) {
              limited = { until: error.until, why: error.why };
              break;
            }
            // Paused while it waited for the limit: as before a step.
            if (error instanceof NotWanted) break;
            if (!mayPass(error)) throw error;
            ({ place, limited } = tryAgain(inHand));
            requests += 1;
            break;
          }
        }
        log.debug('A chunk of a poll round ended', { requests, found });
        const next = place === null ? null : JSON.stringify(place);
        return { place: next, requests, found, ...(limited === undefined ? {} : { limited }) };
      }),
  };
}
