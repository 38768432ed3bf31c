import { log } from '@temporalio/activity';
import type { Database } from '../../db/client.ts';
import * as queries from '../../db/queries/discovery.ts';
import { insertEvent } from '../../db/queries/events.ts';
import type { DiscoveryActivities } from '../../workflows/contracts/discovery.ts';
import type { Limited } from '../../workflows/contracts/waiting.ts';
import { discoveryConsumer, walker } from '../bitbucket/asker.ts';
import type { BitbucketClient } from '../bitbucket/client.ts';
import { tokenTarget } from '../bitbucket/connectionCheck/target.ts';
import { RateLimited } from '../bitbucket/errors.ts';
import { mayPass } from '../bitbucket/mayPass.ts';
import type { CredentialStore } from '../credentials/credentialStore.ts';
import { placeSchema, type Place } from './discoveryPlace.ts';
import { createDiscoveryWalk, type DiscoveryWalk } from './discoveryWalk.ts';
import { withHeartbeats } from '../heartbeats.ts';
import { VANISHING_RULES, type VanishingRules } from '../presence/decideList.ts';
import { createRepositoryLookUp } from './repositoryLookUp.ts';
import { goOn, isLeft, tryAgain } from '../tries.ts';
import { workflowId } from '../workflowId.ts';

export interface DiscoveryDependencies {
  database: Database;
  client: BitbucketClient;
  credentials: CredentialStore;
  /** when what is missing is believed to be gone; default: `VANISHING_RULES` */
  rules?: VanishingRules;
  /** a chunk ends after so many requests (default 25) or so long (default three minutes) */
  maxRequests?: number;
  maxMs?: number;
}

/**
 * Where a discovery stands behind an error, and whether its chunk ends with it: at a limit, before another try of a list that
 * may still be given, or behind one that was asked for often enough. Throws what does not pass by itself.
 */
async function meet(
  error: unknown,
  { walk, place, hasMoved }: { walk: DiscoveryWalk; place: Place; hasMoved: boolean },
): Promise<{ place: Place | null; limited?: Limited; ends: boolean }> {
  if (error instanceof RateLimited) {
    return { place, limited: { until: error.until, why: error.why }, ends: true };
  }
  if (!mayPass(error)) throw error;
  if (!walk.canLeave(place)) {
    // The next chunk begins with it, and so repeats nothing else.
    if (hasMoved) return { place, ends: true };
    throw error;
  }
  if (!isLeft(place, error)) return { ...tryAgain(place), ends: true };
  log.warn('A discovery goes on without a list', { code: error.finding.code, path: error.path });
  return { place: await walk.leave(place), ends: false };
}

const isSignedBy = (place: Place, credentialId: string): boolean =>
  place.credentialId === null || place.credentialId === credentialId;

/** Finds workspaces, projects and repositories, and what is not there any more. Nothing is ever removed by it. */
export function createDiscoveryActivities(dependencies: DiscoveryDependencies): DiscoveryActivities {
  const { database, client, credentials, rules = VANISHING_RULES } = dependencies;
  const { maxRequests = 25, maxMs = 180_000 } = dependencies;

  return {
    discoverChunk: ({ organizationId, integrationId, cursor }) =>
      withHeartbeats(async (signal) => {
        const integration = { organizationId, integrationId };
        const credential = await credentials.ofIntegration(integration);
        const { kind, fields } = await credentials.facts(credential);
        const target = kind === 'access_token' ? tokenTarget(fields) : undefined;
        const asker = walker(discoveryConsumer(integrationId), workflowId());
        const walk = createDiscoveryWalk({
          database,
          client,
          integration,
          credential,
          asker,
          target,
          rules,
          signal,
        });
        if (cursor === null) {
          await database.transaction(organizationId, (tx) => queries.startDiscovery(tx, integration));
        }
        const { credentialId } = credential;
        const inHand = cursor === null ? undefined : placeSchema.parse(JSON.parse(cursor));
        // Another credential may be another account's, which has other workspaces: nothing listed so far says what it sees.
        const start =
          inHand !== undefined && isSignedBy(inHand, credentialId)
            ? { ...inHand, credentialId }
            : walk.start('');
        let place: Place | null = start;
        const found = { workspaces: 0, projects: 0, repositories: 0 };
        let limited: Limited | undefined;
        const endsMs = performance.now() + maxMs;
        for (let requests = 0; place !== null && requests < maxRequests; requests += 1) {
          if (performance.now() > endsMs) break;
          const asked: Place = place;
          try {
            const step = await walk.step(asked);
            place = step.place === null ? null : goOn(step.place);
            found.workspaces += step.workspaces;
            found.projects += step.projects;
            found.repositories += step.repositories;
            for (const rejected of step.rejected) log.warn('A record could not be read', rejected);
          } catch (error) {
            const met = await meet(error, { walk, place: asked, hasMoved: asked !== start });
            ({ place, limited } = met);
            if (met.ends) break;
          }
        }
        return {
          cursor: place === null ? null : JSON.stringify(place),
          ...found,
          ...(limited === undefined ? {} : { limited }),
        };
      }),

    lookUpRepositories: createRepositoryLookUp({ database, client, credentials }),

    finishDiscovery: ({ organizationId, integrationId, outcome, error }) =>
      database.transaction(organizationId, async (tx) => {
        const integration = { organizationId, integrationId };
        if (!(await queries.endDiscovery(tx, integration, { outcome, error: error ?? null }))) return;
        const data = error === undefined ? await queries.countFound(tx, integration) : { error };
        await insertEvent(tx, { ...integration, type: `discovery_${outcome}`, data });
      }),
  };
}
