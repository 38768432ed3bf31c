import type { Person } from './people.ts';
import { createRandom, mix } from './random.ts';
import { bodyText, commentText, titleText } from './texts.ts';
import { DAY, HOUR, type Micros, MINUTE } from './time.ts';

export const TICKET_STATES = [
  'new',
  'open',
  'resolved',
  'on hold',
  'invalid',
  'duplicate',
  'wontfix',
  'closed',
] as const;
const KINDS = ['bug', 'enhancement', 'proposal', 'task'] as const;
const PRIORITIES = ['trivial', 'minor', 'major', 'critical', 'blocker'] as const;

export interface TicketComment {
  id: number;
  /** Null for a change without text (facts 3.8). */
  raw: string | null;
  person: Person | null;
  createdOn: Micros;
  updatedOn: Micros | null;
}

export interface TicketChange {
  id: number;
  person: Person | null;
  createdOn: Micros;
  message: string;
  changes: Record<string, { old: string; new: string }>;
}

export interface Ticket {
  id: number;
  title: string;
  raw: string;
  reporter: Person | null;
  assignee: Person | null;
  state: (typeof TICKET_STATES)[number];
  kind: (typeof KINDS)[number];
  priority: (typeof PRIORITIES)[number];
  component: string | null;
  milestone: string | null;
  version: string | null;
  votes: number;
  watches: number;
  createdOn: Micros;
  updatedOn: Micros;
  editedOn: Micros | null;
  /** Oldest first. */
  comments: TicketComment[];
  /** Oldest first. */
  changes: TicketChange[];
}

/** The tickets of one repository by id; few enough to be kept once made. */
export type Tickets = Map<number, Ticket>;

function makeTicket(
  seed: number,
  id: number,
  base: number,
  start: Micros,
  people: readonly Person[],
): Ticket {
  const random = createRandom(mix(seed, id, 9));
  const createdOn = start + id * (7 * HOUR) + random.below(HOUR);
  const reporter = id % 13 === 4 ? null : random.pick(people);
  const state = random.pick(TICKET_STATES);
  const comments: TicketComment[] = [];
  const changes: TicketChange[] = [];
  let at = createdOn;
  for (let index = random.below(4); index > 0; index -= 1) {
    at += 20 * MINUTE + random.below(DAY);
    const id64 = base + id * 32 + comments.length;
    const wordless = random.chance(0.15);
    comments.push({
      id: id64,
      raw: wordless ? null : commentText(random),
      person: random.chance(0.05) ? null : random.pick(people),
      createdOn: at,
      updatedOn: random.chance(0.1) ? at + MINUTE : null,
    });
  }
  if (state !== 'new') {
    at += HOUR + 7;
    const person = random.pick(people);
    changes.push({
      id: base + id * 32 + 20,
      person,
      createdOn: at,
      message: random.chance(0.5) ? commentText(random) : '',
      changes: {
        state: { old: 'new', new: state },
        assignee: { old: '', new: person.accountId },
      },
    });
  }
  return {
    id,
    title: titleText(random, id),
    raw: bodyText(random, id),
    reporter,
    assignee: random.chance(0.5) ? random.pick(people) : null,
    state,
    kind: random.pick(KINDS),
    priority: random.pick(PRIORITIES),
    component: random.chance(0.3) ? random.pick(['backend', 'ui']) : null,
    milestone: random.chance(0.2) ? random.pick(['M1', 'M2']) : null,
    version: random.chance(0.2) ? '1.0' : null,
    votes: random.below(5),
    watches: random.below(9),
    createdOn,
    updatedOn: at,
    editedOn: random.chance(0.1) ? createdOn + HOUR : null,
    comments,
    changes,
  };
}

export function createTickets(input: {
  seed: number;
  count: number;
  commentBase: number;
  start: Micros;
  people: readonly Person[];
}): Tickets {
  const tickets: Tickets = new Map();
  for (let id = 1; id <= input.count; id += 1) {
    tickets.set(id, makeTicket(input.seed, id, input.commentBase, input.start, input.people));
  }
  return tickets;
}
