import { z } from '@hono/zod-openapi';
import type { DiscoveredCounts, IntegrationRow } from '../../db/queries/api/integrations.ts';
import type { PollingRow } from '../../db/queries/api/polls.ts';
import type { RemovalRow } from '../../db/queries/api/removals.ts';
import type { VanishedRow } from '../../db/queries/api/vanished.ts';
import { unescapeText } from '../../db/text.ts';
import type { ConnectedAccount } from '../../db/schema/integrations.ts';
import { expiryWarning } from '../../workflows/credentialExpiry.ts';
import { INTEGRATION_HEALTH, integrationHealth } from '../../workflows/health.ts';
import { COMMIT_SOURCES, INTEGRATION_STATES } from '../../workflows/words.ts';
import { instant, instantOrNull } from '../instant.ts';
import { presentFinding } from './finding.ts';
import { pollingSchema, presentPolling } from './polling.ts';
import { integrationLinks } from './integrationLinks.ts';
import { nameField } from './name.ts';
import { presentRemoval, removalSchema } from './removal.ts';
import { createdBy, credentialKind, finding, id, link, message, service, timestamp } from './shared.ts';
import { presentVanished, vanishedSchema } from './vanished.ts';

export const commitSource = z.enum(COMMIT_SOURCES).meta({
  description:
    'Where branches, tags and commits are read from. `git`: a clone on the worker, with line counts and file paths. ' +
    '`api`: lists of the API, so that no source code comes to the disk of a worker; without line counts and files, and ' +
    'for one request a hundred commits.',
});

/** At least one of them; the others stay as they are. */
export const updateIntegrationBody = z
  .strictObject({
    name: nameField.optional(),
    services: z.array(service).min(1).optional().meta({ description: 'all services that are to be on' }),
    excluded_owners: z
      .array(id)
      .max(1_000)
      .optional()
      .meta({
        description:
          'ids of all workspaces that are to be left out: their repositories are not offered, and neither imports of ' +
          'all nor auto-import take them. What is imported of them already stays, and stays current',
      }),
  })
  .refine(
    ({ name, services, excluded_owners: owners }) =>
      name !== undefined || services !== undefined || owners !== undefined,
    {
      message: 'The body changes nothing.',
      params: { fix: 'Give one or more of name, services, excluded_owners.' },
    },
  )
  .openapi('UpdateIntegration');

export const health = z.enum(INTEGRATION_HEALTH);

const accountSchema = z.strictObject({ uuid: z.string().nullable(), name: z.string(), kind: z.string() });

export const integrationSchema = z
  .strictObject({
    id,
    provider: z.literal('bitbucket_cloud'),
    name: z.string().nullable().meta({ description: 'null until created' }),
    state: z.enum(INTEGRATION_STATES),
    reason: finding.nullable().meta({ description: 'why it is in this state, where that needs saying' }),
    health: health.nullable().meta({ description: 'null until created' }),
    message: message.nullable(),
    services: z.array(service),
    allowed_services: z.array(service).meta({ description: 'what the last passed check allows' }),
    commit_source: commitSource,
    connected_account: accountSchema.nullable(),
    previous_account: z
      .strictObject({ ...accountSchema.shape, until: timestamp })
      .nullable()
      .meta({ description: 'the one before, where a new credential belonged to another account' }),
    credential: z
      .strictObject({
        kind: credentialKind,
        scopes: z.array(z.string()).nullable(),
        expires_on: timestamp.nullable(),
        warning: finding.nullable().meta({ description: 'from 30 days before it ends: what to do' }),
      })
      .nullable(),
    excluded_owners: z.array(id).meta({ description: 'ids of workspaces that are left out' }),
    discovery: z.strictObject({
      state: z.enum(['never', 'running', 'done', 'failed']),
      last_at: timestamp.nullable(),
      error: finding.nullable(),
    }),
    draft_expires_at: timestamp.nullable(),
    created_by: createdBy,
    created_at: timestamp,
    updated_at: timestamp,
    links: z.array(link).meta({ description: 'the next steps that make sense now' }),
  })
  .openapi('Integration');

// From the fields, not by `extend`: the document would then combine two closed schemas, which nothing satisfies.
export const integrationDetailSchema = z
  .strictObject({
    ...integrationSchema.shape,
    discovered: z.strictObject({
      workspaces: z.int(),
      projects: z.int(),
      repositories: z.int(),
      imported_repositories: z.int(),
    }),
    vanished: vanishedSchema.nullable().meta({
      description:
        'so many repositories vanished at once that a person is asked; nothing is marked before. null: nothing is asked',
    }),
    polling: pollingSchema.nullable().meta({ description: 'null: no round has begun yet' }),
    removal: removalSchema
      .nullable()
      .meta({ description: 'how far its removal is; null: it is not removed' }),
  })
  .openapi('IntegrationDetail');

function messageOf(row: IntegrationRow): z.infer<typeof message> | null {
  if (row.state === 'connected') {
    const account = row.connectedAccount === null ? '' : ` as ${unescapeText(row.connectedAccount.name)}`;
    return { code: 'connection_ok', text: `Connected to Bitbucket Cloud${account}.` };
  }
  if (row.state === 'active') {
    return { code: 'integration_created', text: `Integration “${row.name ?? ''}” is created.` };
  }
  return null;
}

const presentAccount = ({ uuid, name, kind }: ConnectedAccount): z.infer<typeof accountSchema> => ({
  uuid,
  name: unescapeText(name),
  kind,
});

/** A row as the API shows it. */
export function presentIntegration(row: IntegrationRow): z.infer<typeof integrationSchema> {
  return {
    id: row.id,
    provider: 'bitbucket_cloud',
    name: row.name,
    state: row.state,
    reason: presentFinding(row.reason),
    health: integrationHealth(row),
    message: messageOf(row),
    services: row.services,
    allowed_services: row.allowedServices,
    commit_source: row.commitSource,
    connected_account: row.connectedAccount === null ? null : presentAccount(row.connectedAccount),
    previous_account:
      row.previousAccount === null
        ? null
        : { ...presentAccount(row.previousAccount), until: instant(row.previousAccount.until) },
    credential:
      row.credentialKind === null
        ? null
        : {
            kind: row.credentialKind,
            scopes: row.credentialScopes,
            expires_on: instantOrNull(row.credentialExpiresOn),
            warning: expiryWarning(instantOrNull(row.credentialExpiresOn), Date.now()),
          },
    excluded_owners: row.excludedOwners,
    discovery: {
      state: row.discoveryState,
      last_at: instantOrNull(row.lastDiscoveryAt),
      error: presentFinding(row.discoveryError),
    },
    draft_expires_at: instantOrNull(row.draftExpiresAt),
    created_by: { api_key_id: row.createdByKey, acting_user: row.createdByUser },
    created_at: instant(row.createdAt),
    updated_at: instant(row.updatedAt),
    links: integrationLinks(row),
  };
}

export const presentIntegrationDetail = (
  row: IntegrationRow,
  {
    counts,
    vanished,
    polling,
    removal,
  }: {
    counts: DiscoveredCounts;
    vanished: readonly VanishedRow[];
    polling: PollingRow | null;
    removal: RemovalRow | null;
  },
): z.infer<typeof integrationDetailSchema> => ({
  ...presentIntegration(row),
  discovered: {
    workspaces: counts.workspaces,
    projects: counts.projects,
    repositories: counts.repositories,
    imported_repositories: counts.importedRepositories,
  },
  vanished: presentVanished(row.id, vanished),
  polling: polling === null ? null : presentPolling(polling),
  removal: removal === null ? null : presentRemoval(removal),
});
