import { listTickets } from '../../db/queries/api/records.ts';
import { createCursor, cursorNumber, page } from '../cursor.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { ofRepository } from '../repository.ts';
import { presentTicket, ticketSchema } from '../schemas/records.ts';
import { idParam, listOf, stateQuery } from '../schemas/shared.ts';

const cursor = createCursor('tickets', cursorNumber);

const route = operation({
  method: 'get',
  path: '/v1/repositories/{id}/tickets',
  operationId: 'listTickets',
  summary: 'List tickets, by number',
  tags: ['Data'],
  role: 'viewer',
  request: { params: idParam, query: stateQuery },
  responses: { 200: answer(listOf(ticketSchema, 'TicketList'), 'A page of tickets.') },
});

export function addListTickets(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const query = c.req.valid('query');
    const after = cursor.decode(query.cursor);
    const found = await c.var.dependencies.database.read(c.var.principal.organizationId, (tx) => {
      const { id: repositoryId } = c.req.valid('param');
      const rows = listTickets(tx, { repositoryId, limit: query.limit + 1, after, state: query.state });
      return ofRepository(tx, repositoryId, rows);
    });
    const { rows, next_cursor } = page(found, query.limit, cursor, (row) => row.number);
    return c.json({ data: rows.map(presentTicket), next_cursor }, 200);
  });
}
