import { z } from 'zod';
import { accessMutations } from './accessMutations.ts';
import { commentMutations } from './commentMutations.ts';
import { credentialMutations } from './credentialMutations.ts';
import { hookMutations } from './hookMutations.ts';
import { MutationError, type Mutation, type MutationTools } from './mutation.ts';
import { pullRequestMutations } from './pullRequestMutations.ts';
import { repositoryMutations } from './repositoryMutations.ts';
import { ticketMutations } from './ticketMutations.ts';
import { verdictMutations } from './verdictMutations.ts';

/** Makes one change of `{kind, …}`. Throws MutationError or ZodError when it is impossible. */
export function createMutations(tools: MutationTools): (change: unknown) => Promise<object> {
  const known = new Map<string, Mutation>(
    Object.entries({
      ...pullRequestMutations(tools),
      ...verdictMutations(tools),
      ...commentMutations(tools),
      ...ticketMutations(tools.host),
      ...repositoryMutations(tools),
      ...hookMutations(tools.host),
      ...accessMutations(tools.host),
      ...credentialMutations(tools),
    }),
  );
  return async (change) => {
    const { kind, ...rest } = z.looseObject({ kind: z.string() }).parse(change);
    const found = known.get(kind);
    if (found === undefined) {
      throw new MutationError(`no mutation ${kind}; there are ${[...known.keys()].join(', ')}`);
    }
    return await found(rest);
  };
}
