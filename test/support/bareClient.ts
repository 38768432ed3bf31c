import { createBitbucketClient, type BitbucketClient } from '../../activities/bitbucket/client.ts';
import type { RequestGate } from '../../activities/bitbucket/requestGate.ts';
import type { Signer } from '../../activities/bitbucket/signer.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import type { Simulator } from '../../simulator/simulator.ts';

/** Signs as the simulator's administrator, with no secret store in between. */
export function signerOf(simulator: Simulator): Signer {
  const { login, secret } = simulator.credential('api_token.admin');
  const basic = `Basic ${Buffer.from(`${login ?? ''}:${secret}`).toString('base64')}`;
  return {
    sign: async () => ({
      authorization: new Secret(basic),
      kind: 'api_token',
      accountKey: 'admin',
      version: 1,
      wasRefused: false,
    }),
    renew: async () => false,
    renewalDidNotHelp: () => {},
    refused: async () => {},
    accepted: async () => {},
  };
}

/** A gate that is always open: for tests of what comes over the wire alone. */
const openGate: RequestGate = {
  async take({ deadlineMs }) {
    const endsMs = performance.now() + deadlineMs;
    return {
      observedAt: new Date().toISOString(),
      probing: false,
      leftMs: () => endsMs - performance.now(),
      answered: async () => ({}),
      failed: async () => {},
      unsent: async () => {},
    };
  },
};

/** The engine's client without a database behind it. */
export const createBareClient = (
  simulator: Simulator,
  options: { apiUrl: string; deadlineMs?: number; maxBytes?: number },
): BitbucketClient => createBitbucketClient({ signer: signerOf(simulator), gate: openGate, ...options });
