import { z } from '@hono/zod-openapi';
import {
  type ProjectRow,
  type RepositoryRow,
  SHOWN_PRESENCES,
  type StreamSummary,
  type SyncSummary,
  type WorkspaceRow,
} from '../../db/queries/api/discovered.ts';
import { unescapeText } from '../../db/text.ts';
import { IMPORT_REPOSITORY_STATES, SERVICES, STREAM_STATES, STREAMS } from '../../workflows/words.ts';
import { cursorText } from '../cursor.ts';
import { instant, instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { presentRemoval, removalSchema } from './removal.ts';
import { cursorQuery, finding, id, limitQuery, link, timestamp } from './shared.ts';

const textOrNull = (text: string | null): string | null => (text === null ? null : unescapeText(text));

const search = z
  .string()
  .min(1)
  .max(200)
  .optional()
  .meta({ description: 'part of a name, whatever the case' });

const presence = z.enum(SHOWN_PRESENCES).meta({
  description:
    '`missing`: the last discovery did not find it, which proves nothing yet. `gone`: two did not, nor did a look-up: ' +
    'deleted, moved out of sight, or hidden (Bitbucket answers the same). `no_access`: it is there, but the account does ' +
    'not see it, or not its workspace. Nothing is fetched of the last two, and nothing of them is removed here.',
});

export const workspacesQuery = z.strictObject({ limit: limitQuery, cursor: cursorQuery, search });
export const projectsQuery = workspacesQuery.extend({ workspace_id: id.optional() });
export const repositoriesQuery = projectsQuery.extend({
  project_id: id.optional(),
  imported: z
    .enum(['true', 'false'])
    .transform((text) => text === 'true')
    .optional()
    .meta({ description: 'only those that were, or were not, imported' }),
  presence: presence.optional().meta({ description: 'only those that are so' }),
  search: search.meta({ description: 'part of a name, also of a former one, whatever the case' }),
});

export const keyCursor = z.strictObject({ key: cursorText, id });

export const workspaceSchema = z
  .strictObject({
    id,
    provider_uuid: z.string(),
    slug: z.string(),
    name: z.string(),
    administrator: z
      .boolean()
      .nullable()
      .meta({ description: 'whether the account administers it; null: not known' }),
    excluded: z.boolean().meta({ description: 'it is one of the excluded owners' }),
    repositories: z.int().meta({ description: 'how many the integration sees' }),
    last_seen_at: timestamp,
  })
  .openapi('Workspace');

export const projectSchema = z
  .strictObject({
    id,
    workspace_id: id,
    provider_uuid: z.string(),
    key: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    is_private: z.boolean().nullable(),
    repositories: z.int(),
  })
  .openapi('Project');

export const streamSchema = z
  .strictObject({
    stream: z.enum(STREAMS),
    state: z.enum(STREAM_STATES),
    failing_since: timestamp.nullable(),
    last_error: finding.nullable(),
    last_success_at: timestamp.nullable(),
    last_attempt_at: timestamp.nullable(),
  })
  .openapi('StreamHealth');

const syncSchema = z
  .strictObject({
    state: z
      .enum(IMPORT_REPOSITORY_STATES)
      .nullable()
      .meta({ description: 'of the last sync, or of the one that runs' }),
    services: z.array(z.enum(SERVICES)).nullable().meta({ description: 'what it reads' }),
    last_attempt_at: timestamp.nullable(),
    last_success_at: timestamp.nullable(),
    failures: z.int().meta({ description: 'how many failed in a row' }),
    failing_since: timestamp.nullable(),
    last_error: finding.nullable(),
    next_attempt_at: timestamp
      .nullable()
      .meta({ description: 'parked until then after a failure; a person can have it tried at once' }),
    waiting_until: timestamp.nullable(),
    waiting_reason: z.string().nullable(),
  })
  .openapi('RepositorySync');

export const repositorySchema = z
  .strictObject({
    id,
    workspace_id: id,
    project_id: id.nullable(),
    provider_uuid: z.string(),
    full_name: z.string(),
    slug: z.string(),
    name: z.string(),
    description: z.string().nullable(),
    is_private: z.boolean(),
    language: z.string().nullable(),
    main_branch: z.string().nullable(),
    size_bytes: z.number().nullable(),
    created_on: timestamp.nullable(),
    updated_on: timestamp.nullable(),
    imported: z.boolean(),
    integration_id: id.nullable().meta({ description: 'whose credential fetches it; null: never imported' }),
    first_imported_at: timestamp.nullable(),
    last_imported_at: timestamp.nullable(),
    presence,
    presence_since: timestamp
      .nullable()
      .meta({ description: 'since when it is so; null: since it was found' }),
    found_at: timestamp.nullable().meta({ description: 'when the integration saw it first' }),
    former_names: z
      .array(z.strictObject({ full_name: z.string(), replaced_at: timestamp }))
      .meta({ description: 'what it was called before, the last one first' }),
    removed_at: timestamp.nullable().meta({
      description: 'a person removed its data: nothing takes it up until somebody imports it by its id',
    }),
    removal: removalSchema
      .nullable()
      .meta({ description: 'how far its removal is; null: none is under way' }),
    health: z
      .enum(STREAM_STATES)
      .meta({ description: 'the worst of its streams; `failed` also while its syncs fail' }),
    streams: z.array(streamSchema),
    sync: syncSchema
      .nullable()
      .meta({ description: 'how it stays current; null: it was not brought up to date since its import' }),
    links: z.array(link),
  })
  .openapi('Repository');

export const presentWorkspace = (row: WorkspaceRow): z.infer<typeof workspaceSchema> => ({
  id: row.id,
  provider_uuid: row.providerUuid,
  slug: unescapeText(row.slug),
  name: unescapeText(row.name),
  administrator: row.administrator,
  excluded: row.excluded,
  repositories: row.repositories,
  last_seen_at: instant(row.lastSeenAt),
});

export const presentProject = (row: ProjectRow): z.infer<typeof projectSchema> => ({
  id: row.id,
  workspace_id: row.workspaceId,
  provider_uuid: row.providerUuid,
  key: unescapeText(row.key),
  name: unescapeText(row.name),
  description: textOrNull(row.description),
  is_private: row.isPrivate,
  repositories: row.repositories,
});

export const presentStream = (row: StreamSummary): z.infer<typeof streamSchema> => ({
  stream: row.stream,
  state: row.state,
  failing_since: instantOrNull(row.failing_since),
  last_error: presentFinding(row.last_error),
  last_success_at: instantOrNull(row.last_success_at),
  last_attempt_at: instantOrNull(row.last_attempt_at),
});

const presentSync = (row: SyncSummary): z.infer<typeof syncSchema> => ({
  state: row.state,
  services: row.services,
  last_attempt_at: instantOrNull(row.last_attempt_at),
  last_success_at: instantOrNull(row.last_success_at),
  failures: row.failures,
  failing_since: instantOrNull(row.failing_since),
  last_error: presentFinding(row.last_error),
  next_attempt_at: instantOrNull(row.next_attempt_at),
  waiting_until: instantOrNull(row.waiting_until),
  waiting_reason: row.waiting_reason,
});

const presentPresence = ({ presence: stored, presenceSince, missingSince }: RepositoryRow) =>
  stored === 'present' && missingSince !== null
    ? { presence: 'missing' as const, presence_since: instant(missingSince) }
    : { presence: stored, presence_since: instantOrNull(presenceSince) };

export function presentRepository(row: RepositoryRow): z.infer<typeof repositorySchema> {
  const at = `/v1/repositories/${row.id}`;
  return {
    id: row.id,
    workspace_id: row.workspaceId,
    project_id: row.projectId,
    provider_uuid: row.providerUuid,
    full_name: unescapeText(row.fullName),
    slug: unescapeText(row.slug),
    name: unescapeText(row.name),
    description: textOrNull(row.description),
    is_private: row.isPrivate,
    language: textOrNull(row.language),
    main_branch: textOrNull(row.mainBranch),
    size_bytes: row.sizeBytes,
    created_on: instantOrNull(row.createdOn),
    updated_on: instantOrNull(row.updatedOn),
    imported: row.firstImportedAt !== null,
    integration_id: row.integrationId,
    first_imported_at: instantOrNull(row.firstImportedAt),
    last_imported_at: instantOrNull(row.lastImportedAt),
    ...presentPresence(row),
    found_at: instantOrNull(row.foundAt),
    former_names: row.formerNames.map(({ full_name, replaced_at }) => ({
      full_name: unescapeText(full_name),
      replaced_at: instant(replaced_at),
    })),
    removed_at: instantOrNull(row.removedAt),
    removal: row.removal === null ? null : presentRemoval(row.removal),
    health: row.health,
    streams: row.streams.map(presentStream),
    sync: row.sync === null ? null : presentSync(row.sync),
    links: [
      { action: 'read', method: 'GET', href: at, hint: 'This repository.' },
      {
        action: 'read_completeness',
        method: 'GET',
        href: `${at}/completeness`,
        hint: 'Whether its last import brought in everything.',
      },
      ...(row.firstImportedAt === null || row.presence !== 'present'
        ? []
        : [
            { action: 'sync', method: 'POST' as const, href: `${at}/sync`, hint: 'Bring it up to date now.' },
          ]),
      { action: 'list_commits', method: 'GET', href: `${at}/commits`, hint: 'Its commits, newest first.' },
      {
        action: 'list_pull_requests',
        method: 'GET',
        href: `${at}/pull-requests`,
        hint: 'Its pull requests.',
      },
      { action: 'list_tickets', method: 'GET', href: `${at}/tickets`, hint: 'Its tickets.' },
    ],
  };
}
