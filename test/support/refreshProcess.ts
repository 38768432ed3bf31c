import { createBitbucketEngine, type EngineOptions } from './bitbucketEngine.ts';
import type { CredentialRef } from '../../activities/bitbucket/client.ts';

/**
 * A worker of its own that signs requests with one credential: started by `fork`, told what to do by one message,
 * answers with what became of each request. A message `ready` comes first, so that two begin together.
 */
export interface RefreshOrder {
  engine: EngineOptions;
  credential: CredentialRef;
  requests: number;
}

export interface RefreshOutcome {
  /** of each request: `ok` or the type of its error */
  outcomes: string[];
}

async function run(order: RefreshOrder): Promise<RefreshOutcome> {
  const engine = createBitbucketEngine(order.engine);
  const outcomes = await Promise.all(
    Array.from({ length: order.requests }, async () => {
      try {
        const { signal } = new AbortController();
        await engine.client.get({ credential: order.credential, path: '/user', signal });
        return 'ok';
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
      }
    }),
  );
  await engine.end();
  return { outcomes };
}

process.once('message', (order: RefreshOrder) => {
  void run(order).then((outcome) => {
    process.send?.(outcome, () => process.disconnect());
  });
});
process.send?.('ready');
