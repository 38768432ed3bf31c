import { listEvents } from '../../db/queries/api/events.ts';
import type { ApiApp } from '../dependencies.ts';
import { answer, operation } from '../operation.ts';
import { eventCursor, eventListSchema, eventsQuery, presentEvent } from '../schemas/event.ts';

const route = operation({
  method: 'get',
  path: '/v1/events',
  operationId: 'listEvents',
  summary: 'Follow what happens',
  description:
    'One feed for the whole organization: what happened, and who did it, oldest first. Whoever goes on from each `next_cursor` misses nothing and sees nothing twice. An entry shows when every transaction begun before its own has ended: mostly at once, at the latest some seconds later.',
  tags: ['Events'],
  role: 'viewer',
  request: { query: eventsQuery },
  responses: { 200: answer(eventListSchema, 'What comes next.') },
});

export function addListEvents(app: ApiApp): void {
  app.openapi(route, async (c) => {
    const { limit, after, integration, type } = c.req.valid('query');
    const place = eventCursor.decode(after);
    const { database } = c.var.dependencies;
    const found = await database.read(c.var.principal.organizationId, (tx) =>
      listEvents(tx, { after: place, integrationId: integration, type, limit: limit + 1 }),
    );
    const rows = found.slice(0, limit);
    const last = rows.at(-1) ?? place;
    return c.json(
      {
        data: rows.map(presentEvent),
        next_cursor: last === null ? null : eventCursor.encode({ xact: last.xact, id: last.id }),
        more: found.length > limit,
      },
      200,
    );
  });
}
