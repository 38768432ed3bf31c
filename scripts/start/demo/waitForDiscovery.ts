import { setTimeout as sleep } from 'node:timers/promises';
import type { IntegrationDetail, PublicApi } from './publicApi.ts';

const POLL_MS = 300;
/** A discovery that was asked for begins within seconds. */
const BEGIN_MS = 30_000;

/**
 * Waits until the discovery that was just asked for has ended; answers what the integration sees. The last one's end
 * stands there until this one begins, so only another `last_at` is its success.
 * @param before `discovery` of the integration before it was asked for
 * Throws when it fails. A failure has no time of its own: it is this one's when none stood there before, when this one was
 * seen to run, or after 30 s.
 */
export async function waitForDiscovery(
  api: Pick<PublicApi, 'readIntegration'>,
  integrationId: string,
  before: IntegrationDetail['discovery'] | undefined,
): Promise<IntegrationDetail['discovered']> {
  const begunBy = Date.now() + BEGIN_MS;
  let begun = before?.state !== 'failed';
  for (;;) {
    const integration = await api.readIntegration(integrationId);
    if (integration === undefined) throw new Error('The integration is gone.');
    const { discovery, discovered } = integration;
    begun ||= discovery.state === 'running' || Date.now() > begunBy;
    if (discovery.state === 'failed' && begun) {
      const { message, remedy } = discovery.error ?? { message: 'no reason is known', remedy: '' };
      throw new Error(`The discovery failed: ${message} ${remedy}`.trim());
    }
    if (discovery.state === 'done' && discovery.last_at !== (before?.last_at ?? null)) return discovered;
    await sleep(POLL_MS);
  }
}
