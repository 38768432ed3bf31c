import { z } from 'zod';
import type { Credential } from '../auth/credential.ts';
import { personFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError, type MutationTools } from './mutation.ts';

const name = z.string();

/** Changes of credentials and of the OAuth consumer. */
export function credentialMutations({ host, consumer, grants }: MutationTools): Record<string, Mutation> {
  function credentialFor(wanted: string): Credential {
    const found = host.credentials.byName(wanted);
    if (found === undefined) throw new MutationError(`no credential ${wanted}`);
    return found;
  }

  return {
    'credential.revoke': mutation(z.strictObject({ name }), (input) => {
      credentialFor(input.name).revoked = true;
      return {};
    }),
    'credential.restore': mutation(z.strictObject({ name }), (input) => {
      const credential = credentialFor(input.name);
      credential.revoked = false;
      credential.expiresAtMs = null;
      return {};
    }),
    'credential.expire': mutation(z.strictObject({ name }), (input) => {
      credentialFor(input.name).expiresAtMs = host.clock.nowMs() - 1000;
      return {};
    }),
    'credential.scopes': mutation(z.strictObject({ name, scopes: z.array(z.string()) }), (input) => {
      credentialFor(input.name).scopes = input.scopes;
      return {};
    }),
    'oauth.revoke': mutation(z.strictObject({ user: z.string() }), (input) => {
      const person = personFor(host, input.user);
      if (person !== null) grants.revoke(person.uuid);
      return {};
    }),
    'oauth.consumer': mutation(
      z.strictObject({
        callback_url: z.string().nullable().optional(),
        scopes: z.array(z.string()).optional(),
      }),
      (input) => {
        if (input.callback_url !== undefined) consumer.callbackUrl = input.callback_url;
        consumer.scopes = input.scopes ?? consumer.scopes;
        return {};
      },
    ),
  };
}
