import { fullName, type Repository } from '../model/entities.ts';
import type { Ticket, TicketChange, TicketComment } from '../model/tickets.ts';
import { formatMicros, type Micros } from '../model/time.ts';
import { type Json, quote, rendered } from './json.ts';
import type { RenderPeople } from './renderPeople.ts';
import type { RenderRepository } from './renderRepository.ts';
import type { Urls } from './urls.ts';

export interface RenderTicket {
  ticket(repository: Repository, ticket: Ticket): Json;
  comment(repository: Repository, ticket: Ticket, comment: TicketComment): Json;
  change(repository: Repository, ticket: Ticket, change: TicketChange): Json;
}

/** Issues as the native tracker answered until 2026-08-20 (facts 3.8). */
export function createRenderTicket(
  urls: Urls,
  people: RenderPeople,
  repositories: RenderRepository,
): RenderTicket {
  const api = (repository: Repository, ticket: Ticket): string =>
    `${urls.api}/repositories/${fullName(repository)}/issues/${ticket.id}`;
  const web = (repository: Repository, ticket: Ticket): string =>
    `${urls.web}/${fullName(repository)}/issues/${ticket.id}`;
  const moment = (micros: Micros | null): Json => (micros === null ? 'null' : `"${formatMicros(micros)}"`);
  const named = (type: string, name: string | null): Json =>
    name === null ? 'null' : `{"type":"${type}","name":${quote(name)},"links":{}}`;

  /** The issue as its comments and changes mention it. */
  function mention(repository: Repository, ticket: Ticket): Json {
    return `{"type":"issue","id":${ticket.id},"title":${quote(ticket.title)},"repository":${repositories.short(repository)},"links":{"self":{"href":"${api(repository, ticket)}"},"html":{"href":"${web(repository, ticket)}"}}}`;
  }

  return {
    ticket(repository, ticket) {
      const self = api(repository, ticket);
      const link = (name: string): Json => `"${name}":{"href":"${self}/${name}"}`;
      return `{"type":"issue","id":${ticket.id},"repository":${repositories.short(repository)},"title":${quote(ticket.title)},"content":${rendered(ticket.raw)},"reporter":${people.person(ticket.reporter)},"assignee":${people.person(ticket.assignee)},"state":"${ticket.state}","kind":"${ticket.kind}","priority":"${ticket.priority}","component":${named('component', ticket.component)},"milestone":${named('milestone', ticket.milestone)},"version":${named('version', ticket.version)},"votes":${ticket.votes},"watches":${ticket.watches},"created_on":${moment(ticket.createdOn)},"updated_on":${moment(ticket.updatedOn)},"edited_on":${moment(ticket.editedOn)},"links":{"self":{"href":"${self}"},"html":{"href":"${web(repository, ticket)}"},${link('comments')},${link('attachments')},${link('watch')},${link('vote')}}}`;
    },
    comment(repository, ticket, comment) {
      const content =
        comment.raw === null
          ? '{"type":"rendered","raw":null,"markup":"markdown","html":""}'
          : rendered(comment.raw);
      return `{"type":"issue_comment","id":${comment.id},"content":${content},"user":${people.person(comment.person)},"created_on":${moment(comment.createdOn)},"updated_on":${moment(comment.updatedOn)},"issue":${mention(repository, ticket)},"links":{"self":{"href":"${api(repository, ticket)}/comments/${comment.id}"},"html":{"href":"${web(repository, ticket)}#comment-${comment.id}"}}}`;
    },
    change(repository, ticket, change) {
      return `{"type":"issue_change","id":${change.id},"name":"${change.id}","created_on":${moment(change.createdOn)},"user":${people.person(change.person)},"issue":${mention(repository, ticket)},"changes":${JSON.stringify(change.changes)},"message":${rendered(change.message)},"links":{"self":{"href":"${api(repository, ticket)}/changes/${change.id}"},"issue":{"href":"${api(repository, ticket)}"}}}`;
    },
  };
}
