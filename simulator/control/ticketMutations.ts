import { z } from 'zod';
import { TICKET_STATES } from '../model/tickets.ts';
import type { Ticket } from '../model/tickets.ts';
import type { Host } from '../rest/host.ts';
import { personFor, repositoryFor } from './mutationTargets.ts';
import { type Mutation, mutation, MutationError } from './mutation.ts';

const target = { repository: z.string(), number: z.number().int() };
const user = z.string().nullable().default('admin');
const FIRST_ID = 7_000_000_000;

/** Changes of tickets; each moves `updated_on`. */
export function ticketMutations(host: Host): Record<string, Mutation> {
  let nextId = FIRST_ID;
  const now = (): number => host.clock.nextMicros();

  function ticketFor(input: { repository: string; number: number }): Ticket {
    const ticket = repositoryFor(host, input.repository).tickets.get(input.number);
    if (ticket === undefined) throw new MutationError(`no ticket ${input.number} in ${input.repository}`);
    return ticket;
  }

  return {
    'ticket.delete': mutation(z.strictObject(target), (input) => {
      const ticket = ticketFor(input);
      repositoryFor(host, input.repository).tickets.delete(ticket.id);
      return {};
    }),
    'ticket.create': mutation(
      z.strictObject({ repository: z.string(), user, title: z.string() }),
      (input) => {
        const { tickets } = repositoryFor(host, input.repository);
        const id = Math.max(0, ...tickets.keys()) + 1;
        const createdOn = now();
        tickets.set(id, {
          id,
          title: input.title,
          raw: '',
          reporter: personFor(host, input.user),
          assignee: null,
          state: 'new',
          kind: 'bug',
          priority: 'major',
          component: null,
          milestone: null,
          version: null,
          votes: 0,
          watches: 0,
          createdOn,
          updatedOn: createdOn,
          editedOn: null,
          comments: [],
          changes: [],
        });
        return { number: id };
      },
    ),
    'ticket.edit': mutation(
      z.strictObject({
        ...target,
        user,
        title: z.string().optional(),
        state: z.enum(TICKET_STATES).optional(),
      }),
      (input) => {
        const ticket = ticketFor(input);
        const changes: Record<string, { old: string; new: string }> = {};
        if (input.title !== undefined) changes.title = { old: ticket.title, new: input.title };
        if (input.state !== undefined) changes.state = { old: ticket.state, new: input.state };
        ticket.title = input.title ?? ticket.title;
        ticket.state = input.state ?? ticket.state;
        ticket.updatedOn = now();
        ticket.changes.push({
          id: nextId++,
          person: personFor(host, input.user),
          createdOn: ticket.updatedOn,
          message: '',
          changes,
        });
        return {};
      },
    ),
    'ticket.comment': mutation(z.strictObject({ ...target, user, raw: z.string().nullable() }), (input) => {
      const ticket = ticketFor(input);
      const id = nextId++;
      ticket.updatedOn = now();
      ticket.comments.push({
        id,
        raw: input.raw,
        person: personFor(host, input.user),
        createdOn: ticket.updatedOn,
        updatedOn: null,
      });
      return { id };
    }),
  };
}
