import { z } from '@hono/zod-openapi';
import { IMPORT_MODES } from '../../workflows/words.ts';
import { id } from './shared.ts';

const ids = z.array(id).min(1).max(1_000);

/** Exactly one of the four says what is imported. */
export const startImportBody = z
  .strictObject({
    repositories: ids.optional().meta({ description: 'ids of repositories' }),
    projects: ids.optional().meta({ description: 'ids of projects: all their repositories' }),
    workspaces: ids.optional().meta({ description: 'ids of workspaces: all their repositories' }),
    all: z.literal(true).optional().meta({ description: 'everything that the integration sees' }),
    mode: z.enum(IMPORT_MODES).default('changed').meta({
      description:
        '`changed`: what changed since the last time; `full`: read everything again and repair; commits only where what is stored is not what was read',
    }),
    dry_run: z.boolean().default(false).meta({
      description: 'import nothing: estimate requests, rows and end instead',
    }),
  })
  .refine(
    ({ repositories, projects, workspaces, all }) =>
      [repositories, projects, workspaces, all].filter((part) => part !== undefined).length === 1,
    {
      message: 'The body must choose by exactly one of repositories, projects, workspaces, all.',
      params: { fix: 'Give one of them; several imports can run at the same time.' },
    },
  )
  .openapi('StartImport');

/** Left out: all that failed. */
export const retryFailedBody = z
  .strictObject({
    repositories: ids.optional().meta({ description: 'ids of failed repositories; left out: all' }),
  })
  .openapi('RetryFailed');
