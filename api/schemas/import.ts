import { z } from '@hono/zod-openapi';
import type { ImportRow } from '../../db/queries/api/imports.ts';
import { IMPORT_MODES, IMPORT_STATES, isEndedImport, type ImportState } from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { importLinks } from './importLinks.ts';
import { createdBy, id, link, service, timestamp } from './shared.ts';
import { presentWaiting, waiting } from './waiting.ts';

const count = z.number().int().min(0);

const chosen = [
  z.strictObject({ repositories: z.array(id) }),
  z.strictObject({ projects: z.array(id) }),
  z.strictObject({ workspaces: z.array(id) }),
  z.strictObject({ all: z.literal(true) }),
] as const;
/** What a person chose. */
export const chosenSelection = z.union(chosen);

export const importSchema = z
  .strictObject({
    id,
    integration_id: id,
    mode: z.enum(IMPORT_MODES),
    state: z.enum(IMPORT_STATES),
    selection: z.union([
      ...chosen,
      z.strictObject({ imported_by: id }).meta({
        description: 'what the integration has imported: a service was switched on and catches up',
      }),
      z.strictObject({ auto_import: id }).meta({
        description: 'what the auto-import rules of the integration took, as its list of repositories shows',
      }),
    ]),
    services: z
      .array(service)
      .nullable()
      .meta({ description: 'only what these bring in; null: all that the integration has on' }),
    repositories: z.strictObject({
      total: count.nullable().meta({ description: 'null until they are counted' }),
      completed: count,
      failed: count,
    }),
    records: count.meta({ description: 'records stored so far' }),
    requests: count.meta({ description: 'API requests made so far' }),
    waiting: waiting.nullable().meta({ description: 'why nothing moves at the moment, and until when' }),
    started_by: createdBy,
    created_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    links: z.array(link),
  })
  .openapi('Import');

export const hasEnded = (row: { state: ImportState }): boolean => isEndedImport(row.state);

export function presentImport(row: ImportRow): z.infer<typeof importSchema> {
  return {
    id: row.id,
    integration_id: row.integrationId,
    mode: row.mode,
    state: row.state,
    selection: row.selection,
    services: row.services,
    repositories: { total: row.total, completed: row.completed, failed: row.failed },
    records: row.records,
    requests: row.requests,
    waiting: presentWaiting(row),
    started_by: { api_key_id: row.startedByKey, acting_user: row.startedByUser },
    created_at: instant(row.createdAt),
    started_at: instantOrNull(row.startedAt),
    finished_at: instantOrNull(row.finishedAt),
    links: importLinks(row),
  };
}
