import { type BitbucketEngine, createBitbucketEngine, type EngineOptions } from './bitbucketEngine.ts';
import type { CredentialRef } from '../../activities/bitbucket/client.ts';

/**
 * A worker of its own that signs requests with one credential: started by `fork`, told what to do by messages, answers
 * each with what became of its requests. A message `ready` comes first, so that two begin together.
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

let engine: BitbucketEngine | undefined;

/** All orders are of one engine, as in a worker. */
async function run(order: RefreshOrder): Promise<RefreshOutcome> {
  engine ??= createBitbucketEngine(order.engine);
  const { client } = engine;
  const outcomes = await Promise.all(
    Array.from({ length: order.requests }, async () => {
      try {
        const { signal } = new AbortController();
        await client.get({ credential: order.credential, path: '/user', signal });
        return 'ok';
      } catch (error) {
        return error instanceof Error ? `${error.name}: ${error.message}` : 'unknown';
      }
    }),
  );
  return { outcomes };
}

process.on('message', (order: RefreshOrder) => {
  void run(order).then((outcome) => process.send?.(outcome));
});
process.once('disconnect', () => void engine?.end());
process.send?.('ready');
