import { setTimeout as sleep } from 'node:timers/promises';
import { LIVE } from '../asker.ts';
import type { BitbucketAnswer, BitbucketClient, CredentialRef, ScopeHeaders } from '../client.ts';
import { BitbucketError, InvalidResponse, Unreachable, Upstream } from '../errors.ts';

/** What a connection check asks through: counts, tries a little again, and remembers what the headers said. */
export interface Asker {
  /** Throws what the client throws; a passing trouble only when it came three times. */
  ask(path: string): Promise<BitbucketAnswer>;
  /** The answer, or the refusal itself where it is of one of these types. */
  askOr<E extends BitbucketError>(
    path: string,
    ...types: (abstract new (
      ...parameters: never
    ) => E)[]
  ): Promise<BitbucketAnswer | E>;
  /** the newest scope headers of any answer */
  seen(): ScopeHeaders;
  requests(): number;
}

const PAUSES_MS = [500, 1_500];

const passes = (error: unknown): boolean =>
  error instanceof Upstream ||
  error instanceof InvalidResponse ||
  (error instanceof Unreachable && error.stage === 'reset');

export function createAsker(options: {
  client: BitbucketClient;
  credential: CredentialRef;
  signal: AbortSignal;
}): Asker {
  const { client, credential, signal } = options;
  let headers: ScopeHeaders = {};
  let requests = 0;

  async function once(path: string): Promise<BitbucketAnswer> {
    requests += 1;
    try {
      // A check does not wait for a limit: a person does for the check.
      const answer = await client.get({ credential, path, signal, asker: LIVE, maxWaitMs: 2_000 });
      headers = { ...headers, ...answer.scopes };
      return answer;
    } catch (error) {
      if (error instanceof BitbucketError) headers = { ...headers, ...error.scopes };
      throw error;
    }
  }

  async function ask(path: string): Promise<BitbucketAnswer> {
    for (const pauseMs of PAUSES_MS) {
      try {
        return await once(path);
      } catch (error) {
        if (!passes(error)) throw error;
        await sleep(pauseMs, undefined, { signal });
      }
    }
    return once(path);
  }

  return {
    ask,
    async askOr(path, ...types) {
      try {
        return await ask(path);
      } catch (error) {
        const refusal = types.find((type) => error instanceof type);
        if (refusal !== undefined && error instanceof refusal) return error;
        throw error;
      }
    },
    seen: () => headers,
    requests: () => requests,
  };
}
