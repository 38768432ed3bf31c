import { z } from '@hono/zod-openapi';
import type { VanishedRow } from '../../db/queries/api/vanished.ts';
import { unescapeText } from '../../db/text.ts';
import { instant } from '../instant.ts';
import { id, link, timestamp } from './shared.ts';

export const vanishedSchema = z
  .strictObject({
    repositories: z.int().meta({ description: 'how many are asked about' }),
    workspaces: z.array(
      z.strictObject({
        workspace_id: id,
        slug: z.string(),
        asked_at: timestamp,
        vanished: z.int(),
        known: z.int().meta({ description: 'how many were there before, the vanished among them' }),
        examples: z.array(z.string()).meta({ description: 'full names of the first, 20 at most' }),
      }),
    ),
    links: z.array(link),
  })
  .openapi('Vanished');

/** null: nothing is asked. */
export function presentVanished(
  integrationId: string,
  rows: readonly VanishedRow[],
): z.infer<typeof vanishedSchema> | null {
  if (rows.length === 0) return null;
  const at = `/v1/integrations/${integrationId}`;
  return {
    repositories: rows.reduce((sum, { vanished }) => sum + vanished, 0),
    workspaces: rows.map((row) => ({
      workspace_id: row.workspaceId,
      slug: unescapeText(row.slug),
      asked_at: instant(row.askedAt),
      vanished: row.vanished,
      known: row.known,
      examples: row.examples.map(unescapeText),
    })),
    links: [
      {
        action: 'list_missing',
        method: 'GET',
        href: `${at}/repositories?presence=missing`,
        hint: 'All that discovery did not find.',
      },
      {
        action: 'confirm_vanished',
        method: 'POST',
        href: `${at}/vanished/confirm`,
        hint: 'They are gone: mark them so. Their data stays.',
      },
      {
        action: 'keep_vanished',
        method: 'POST',
        href: `${at}/vanished/keep`,
        hint: 'They are there, or will be again: leave them as they are.',
      },
    ],
  };
}
