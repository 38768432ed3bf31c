import { z } from 'zod';
import { FINDABLE_CHANGES } from '../test/support/findableChanges.ts';

/** The simulated host while it changes by itself (simulator/README.md, churn and deliveries). */

/** Everything that can be found without its webhook: those are lost while the api is away. */
const KINDS = [...FINDABLE_CHANGES, 'repository.rename', 'repository.edit'];

/** What is read of its answers. */
const answerSchema = z.object({
  done: z.record(z.string(), z.number()).optional(),
  error: z.string().nullish(),
  quiet: z.boolean().optional(),
});

export interface Source {
  /** Changes of all kinds that can be found, so many a second. */
  start(options: { seed: number; perSecond: number; repositories: readonly string[] }): Promise<void>;
  /** How many changes of which kind were made. */
  stop(): Promise<Record<string, number>>;
  /** Until no delivery is on its way. */
  quiet(): Promise<void>;
}

export function createSource(simulator: string): Source {
  async function ask(method: string, path: string, body?: object): Promise<z.infer<typeof answerSchema>> {
    const answer = await fetch(`${simulator}/_simulator/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok)
      throw new Error(`The simulator answered ${method} ${path} with ${answer.status}: ${text}`);
    return answerSchema.parse(JSON.parse(text));
  }

  return {
    async start({ seed, perSecond, repositories }) {
      await ask('POST', 'churn', { seed, rate_per_second: perSecond, repositories, kinds: KINDS });
    },
    async stop() {
      const { done = {}, error } = await ask('DELETE', 'churn');
      if (error != null) throw new Error(`The simulator stopped changing: ${error}`);
      return done;
    },
    async quiet() {
      for (let isQuiet = false; !isQuiet; ) {
        isQuiet = (await ask('GET', 'deliveries/quiet?timeout_ms=10000')).quiet === true;
      }
    },
  };
}
