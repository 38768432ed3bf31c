import type { IntegrationState, StreamState } from './words.ts';

/** How an integration fares (design section 9): the rule. Of repositories it is `BY_URGENCY`, which the database knows too. */

/** What the list of those that are not healthy shows, unless it is asked for something else. */
export const NOT_HEALTHY: readonly StreamState[] = ['failed', 'rate_limited', 'processing', 'never'];

export const INTEGRATION_HEALTH = [
  'processing',
  'healthy',
  'rate_limited',
  'degraded',
  'failed',
  'paused',
] as const;
export type IntegrationHealth = (typeof INTEGRATION_HEALTH)[number];

/** What the health of an integration follows from. */
export interface HealthSigns {
  state: IntegrationState;
  discoveryState: 'never' | 'running' | 'done' | 'failed';
  /** an import or a sync waits for the request budget */
  limited: boolean;
  /** an import is under way */
  importing: boolean;
  /** a repository has failed */
  failing: boolean;
  /** every repository that was imported has failed: it is not they */
  allFailing: boolean;
}

/** `null`: a draft, which has nothing that could fare well or badly. */
export function integrationHealth(signs: HealthSigns): IntegrationHealth | null {
  const { state, discoveryState } = signs;
  if (state === 'awaiting_credential' || state === 'checking' || state === 'connected') return null;
  if (state === 'needs_credential') return 'failed';
  if (state === 'paused') return 'paused';
  if (discoveryState === 'failed' || signs.allFailing) return 'failed';
  if (signs.limited) return 'rate_limited';
  if (signs.importing || discoveryState === 'running') return 'processing';
  return signs.failing ? 'degraded' : 'healthy';
}
