import { NEEDS } from '../auth/scopes.ts';
import type { Call, Route } from '../http/call.ts';
import { notFound, refuse, removed } from '../http/errors.ts';
import type { FilterFields } from '../http/filter.ts';
import { pageOf } from '../http/paging.ts';
import { jsonReply } from '../http/reply.ts';
import type { Repository } from '../model/entities.ts';
import type { Ticket, TicketChange, TicketComment } from '../model/tickets.ts';
import type { Host } from './host.ts';
import { repositoryOf } from './resolve.ts';
import { arranged } from './workspaceRoutes.ts';

const RULE = { fallback: 20, max: 100 } as const;

const TICKET_FIELDS: FilterFields<Ticket> = {
  id: { type: 'number', of: (ticket) => ticket.id },
  title: { type: 'text', of: (ticket) => ticket.title },
  state: { type: 'text', of: (ticket) => ticket.state },
  kind: { type: 'text', of: (ticket) => ticket.kind },
  priority: { type: 'text', of: (ticket) => ticket.priority },
  created_on: { type: 'moment', of: (ticket) => ticket.createdOn },
  updated_on: { type: 'moment', of: (ticket) => ticket.updatedOn },
  'reporter.uuid': { type: 'text', of: (ticket) => ticket.reporter?.uuid ?? null },
  'assignee.uuid': { type: 'text', of: (ticket) => ticket.assignee?.uuid ?? null },
};

const COMMENT_FIELDS: FilterFields<TicketComment> = {
  id: { type: 'number', of: (comment) => comment.id },
  created_on: { type: 'moment', of: (comment) => comment.createdOn },
  updated_on: { type: 'moment', of: (comment) => comment.updatedOn },
};

const CHANGE_FIELDS: FilterFields<TicketChange> = {
  id: { type: 'number', of: (change) => change.id },
  created_on: { type: 'moment', of: (change) => change.createdOn },
};

const CATALOGUES = { components: 'component', milestones: 'milestone', versions: 'version' } as const;
const BASE = '/repositories/:workspace/:repository';

/** The native issue tracker; today every call is 410, whatever the credential or repository (facts 0.1, 3.8). */
export function createTicketRoutes(host: Host): Route[] {
  if (host.era === 'today') {
    const gone = () => removed('CHANGE-3071');
    const common = { needs: NEEDS.nothing, group: 'repository', handle: gone } as const;
    const paths = ['issues', ...Object.keys(CATALOGUES)].flatMap((name) => [
      `${BASE}/${name}`,
      `${BASE}/${name}/*rest`,
    ]);
    return paths.flatMap((path): Route[] =>
      (['GET', 'POST', 'PUT', 'DELETE'] as const).map((method) => ({ ...common, method, path })),
    );
  }
  const common = { method: 'GET', needs: NEEDS.issue, group: 'repository' } as const;

  /** Tracker off: 404 (facts 3.8). */
  function trackerOf(call: Call): Repository {
    const repository = repositoryOf(host, call);
    if (!repository.trackerEnabled) refuse(notFound('Repository has no issue tracker.'));
    return repository;
  }

  function ticketOf(repository: Repository, call: Call): Ticket {
    const id = call.params.id ?? '';
    return repository.tickets.get(Number(id)) ?? refuse(notFound(`Issue with id ${id} does not exist`));
  }

  const listOf = (call: Call) => ({ base: call.base, query: call.query, rule: RULE });

  return [
    {
      ...common,
      path: `${BASE}/issues`,
      handle(call) {
        const repository = trackerOf(call);
        const newestFirst = [...repository.tickets.values()].toReversed();
        return jsonReply(
          pageOf(listOf(call), arranged(call, newestFirst, TICKET_FIELDS), (ticket) =>
            host.tickets.ticket(repository, ticket),
          ),
        );
      },
    },
    {
      ...common,
      path: `${BASE}/issues/:id`,
      handle(call) {
        const repository = trackerOf(call);
        return jsonReply(host.tickets.ticket(repository, ticketOf(repository, call)));
      },
    },
    {
      ...common,
      path: `${BASE}/issues/:id/comments`,
      handle(call) {
        const repository = trackerOf(call);
        const ticket = ticketOf(repository, call);
        return jsonReply(
          pageOf(listOf(call), arranged(call, ticket.comments, COMMENT_FIELDS), (comment) =>
            host.tickets.comment(repository, ticket, comment),
          ),
        );
      },
    },
    {
      ...common,
      path: `${BASE}/issues/:id/changes`,
      handle(call) {
        const repository = trackerOf(call);
        const ticket = ticketOf(repository, call);
        return jsonReply(
          pageOf(listOf(call), arranged(call, ticket.changes, CHANGE_FIELDS), (change) =>
            host.tickets.change(repository, ticket, change),
          ),
        );
      },
    },
    ...Object.entries(CATALOGUES).map(([catalogue, type]): Route => {
      return {
        ...common,
        path: `${BASE}/${catalogue}`,
        handle(call) {
          const repository = trackerOf(call);
          const names = new Set([...repository.tickets.values()].flatMap((ticket) => ticket[type] ?? []));
          return jsonReply(
            pageOf(listOf(call), [...names].toSorted(), (name) => JSON.stringify({ type, name, links: {} })),
          );
        },
      };
    }),
  ];
}
