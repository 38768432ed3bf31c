import { v5 as namedUuid } from 'uuid';
import type { ApiEnv } from './dependencies.ts';
import { NAMESPACE } from './keyedId.ts';

type Variables = Pick<ApiEnv['Variables'], 'principal' | 'claim'>;

/** An id that each repetition of a request gives again. */
export interface Repeated {
  id: string;
  /** whether this is one; what the first one began may have ended long ago */
  isRepetition: boolean;
}

/**
 * The id of something that a request sends or makes, the same for each repetition of it as long as nobody knows how the
 * first one ended: an update that joins the one that waits, a check that is found. A request whose end was told, be it
 * refused, begins anew. undefined: it has no key.
 */
export function repeated({ principal, claim }: Variables, what: string): Repeated | undefined {
  if (claim === undefined) return undefined;
  const { key, firstAt, ageMs } = claim;
  const name = JSON.stringify([principal.organizationId, key, firstAt, what]);
  return { id: namedUuid(name, NAMESPACE), isRepetition: ageMs > 0 };
}
