import { z } from 'zod';

/** Where a discovery stands; carried by the workflow as text. */
export const placeSchema = z.object({
  /** what signed so far: another account has other workspaces */
  credentialId: z.string().nullable().default(null),
  step: z.enum(['workspaces', 'workspace', 'projects', 'repositories', 'compare', 'missing']),
  /** Postgres' clock when the discovery began */
  since: z.string(),
  /** the workspace in hand; `id` null: an access token's, not stored yet */
  workspace: z
    .object({ id: z.string().nullable(), uuid: z.string().nullable(), slug: z.string() })
    .nullable(),
  /** of the list in hand */
  next: z.string().nullable(),
  /** of the list in hand, read so far: no list is endless */
  pages: z.int(),
  /** of the list in hand, failed so far (`tries.ts`) */
  tries: z.int().default(0),
  /** records of the list in hand so far, against its `size` */
  listed: z.int().default(0),
  /** the list in hand was read in one go, and all of it could be read */
  whole: z.boolean().default(false),
  /** the list of workspaces was read to its end, and was not empty */
  allWorkspaces: z.boolean().default(false),
  /** missing: the repository that was looked up last */
  after: z.string().nullable().default(null),
});
export type Place = z.infer<typeof placeSchema>;
