import { z } from '@hono/zod-openapi';
import type { EventRow } from '../../db/queries/api/events.ts';
import { unescapeJson } from '../../db/text.ts';
import { createCursor } from '../cursor.ts';
import { instant } from '../instant.ts';
import { createdBy, id, limitQuery, timestamp } from './shared.ts';

/** A transaction or an id, as Postgres takes them. */
const digits = z.string().regex(/^\d{1,18}$/);

export const eventCursor = createCursor('events', z.strictObject({ xact: digits, id: digits }), 'after');

export const eventsQuery = z.strictObject({
  limit: limitQuery,
  after: z
    .string()
    .max(2_000)
    .optional()
    .meta({ description: '`next_cursor` of the answer before; left out: from the beginning' }),
  integration: id.optional().meta({ description: 'only what happened to this integration' }),
  type: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,60}$/, 'A type is made of small letters, digits and _.')
    .optional()
    .meta({ description: 'only events of this type, e.g. `import_completed`' }),
});

const eventSchema = z
  .strictObject({
    id: z.string().meta({ description: 'unique in the feed' }),
    type: z.string().meta({
      description:
        '`integration_created`, `integration_renamed`, `integration_paused`, `integration_resumed`, ' +
        '`integration_removal_requested`, `integration_deleted`, `draft_deleted`, `draft_expired`, ' +
        '`services_changed`, `excluded_owners_changed`, `credential_submitted`, `oauth_completed`, `connected`, ' +
        '`credential_replaced`, `credential_rejected`, `credential_expiring`, `needs_credential`, `discovery_done`, ' +
        '`discovery_failed`, `repository_found`, `repository_renamed`, `repository_moved`, `repository_gone`, ' +
        '`repository_no_access`, `repository_back`, `repositories_vanished`, `vanished_seen_again`, ' +
        '`vanished_confirmed`, `vanished_kept`, `workspace_no_access`, `repository_removal_requested`, ' +
        '`repository_removed`, `auto_import_changed`, `auto_import_started`, `import_started`, `import_paused`, ' +
        '`import_resumed`, `import_cancelling`, `import_retried`, `import_completed`, ' +
        '`import_completed_with_failures`, `import_cancelled`, `repository_failed`, `webhooks_registered`, ' +
        '`webhooks_removed`, `webhook_secrets_rotated`, `webhook_lost`, `webhook_restored`, `webhook_left` (it stays ' +
        'at Bitbucket and must be removed there by hand: `data.remedy`), `webhook_deliveries_missing`, ' +
        '`webhook_delivers_again`; more may come',
    }),
    at: timestamp,
    integration_id: id.nullable(),
    import_id: id.nullable(),
    repository_id: id.nullable(),
    by: createdBy.nullable().meta({ description: 'who asked for it; null: nobody, the engine did it' }),
    data: z.record(z.string(), z.unknown()).meta({ description: 'what else there is to know, by type' }),
  })
  .openapi('Event');

export const eventListSchema = z
  .strictObject({
    data: z.array(eventSchema),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: 'give it as `after` to go on, now or later; null: nothing has happened yet' }),
    more: z.boolean().meta({ description: 'true: there is more already; false: ask again later' }),
  })
  .openapi('EventList');

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function presentEvent(row: EventRow): z.infer<typeof eventSchema> {
  const data = unescapeJson(row.data);
  const isAsked = row.apiKeyId !== null || row.actingUser !== null;
  return {
    id: row.id,
    type: row.type,
    at: instant(row.at),
    integration_id: row.integrationId,
    import_id: row.importId,
    repository_id: row.repositoryId,
    by: isAsked ? { api_key_id: row.apiKeyId, acting_user: row.actingUser } : null,
    data: isRecord(data) ? data : {},
  };
}
