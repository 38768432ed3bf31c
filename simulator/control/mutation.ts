import type { z } from 'zod';
import type { Consumer } from '../oauth/consumer.ts';
import type { Grants } from '../oauth/grants.ts';
import type { Host } from '../rest/host.ts';
import type { Events } from '../webhooks/events.ts';

/** A change that cannot be made: the message says why. */
export class MutationError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MutationError';
  }
}

/** One kind of change: reads its fields and makes it; what it returns goes to the caller. */
export type Mutation = (input: unknown) => Promise<object> | object;

export interface MutationTools {
  host: Host;
  consumer: Consumer;
  grants: Grants;
  events: Events;
}

/** Fits a schema to its action. */
export function mutation<T extends z.ZodType>(
  schema: T,
  act: (input: z.infer<T>) => Promise<object> | object,
): Mutation {
  return (input) => act(schema.parse(input));
}
