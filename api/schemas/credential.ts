import { z } from '@hono/zod-openapi';
import type { CredentialKind } from '../../workflows/words.ts';
import { givenTime } from './shared.ts';

// Tokens are pasted: white space around them is none of theirs. OAuth tokens exceed 2,500 characters (facts 1.1).
// What no HTTP header can carry (a zero-width space, a line break in the middle) came by the copying.
const token = z
  .string()
  .trim()
  .min(1)
  .max(8_000)
  .regex(/^[\x21-\x7e]*$/, {
    error: 'It holds spaces, line breaks or invisible characters, which no token has: copy it again.',
  })
  .meta({ writeOnly: true });
const slug = z
  .string()
  .trim()
  .regex(/^[\w.~{}-]{1,200}$/, {
    error: 'This is no slug, key or uuid.',
  });
const expiresOn = givenTime
  .optional()
  .meta({ description: 'where known: it is then told before it happens' });

const apiToken = z
  .strictObject({
    kind: z.literal('api_token'),
    email: z.string().trim().min(1).max(320).meta({ description: 'the Atlassian account’s e-mail address' }),
    token,
    expires_on: expiresOn,
  })
  .openapi('ApiTokenCredential');

const accessToken = z
  .strictObject({
    kind: z.literal('access_token'),
    token,
    workspace: slug.meta({ description: 'slug of the workspace that the token belongs to' }),
    project: slug.optional().meta({ description: 'key of the project, for a project access token' }),
    repository: slug
      .optional()
      .meta({ description: 'slug of the repository, for a repository access token' }),
    expires_on: expiresOn,
  })
  .refine((body) => body.project === undefined || body.repository === undefined, {
    path: ['repository'],
    message: 'A token belongs to a project or to a repository, not to both.',
    params: { fix: 'Give one of project and repository, or neither for a workspace access token.' },
  })
  .openapi('AccessTokenCredential');

const basic = z
  .strictObject({
    kind: z.literal('basic'),
    username: z.string().trim().min(1).max(320),
    // A password may begin or end with a space.
    password: z.string().min(1).max(1_000).meta({ writeOnly: true }),
  })
  .openapi('BasicCredential');

/** What can be submitted directly; OAuth goes through the browser. */
export const credentialBody = z
  .discriminatedUnion('kind', [apiToken, accessToken, basic], {
    error: 'The kind is none of api_token, access_token, basic.',
  })
  .openapi('Credential');
export type CredentialBody = z.infer<typeof credentialBody>;

export interface SplitCredential {
  kind: CredentialKind;
  /** one JSON object, to be sealed */
  secret: string;
  fields: Record<string, string>;
  expiresOn: string | null;
}

/** Parts what must be sealed from what may be read. */
export function splitCredential(body: CredentialBody): SplitCredential {
  const { kind } = body;
  if (kind === 'basic') {
    const { username, password } = body;
    return { kind, secret: JSON.stringify({ username, password }), fields: {}, expiresOn: null };
  }
  const expiresAt = body.expires_on ?? null;
  if (kind === 'api_token') {
    const { email, token: secretToken } = body;
    return { kind, secret: JSON.stringify({ email, token: secretToken }), fields: {}, expiresOn: expiresAt };
  }
  const { workspace, project, repository } = body;
  return {
    kind,
    secret: JSON.stringify({ token: body.token }),
    fields: {
      workspace,
      ...(project === undefined ? {} : { project }),
      ...(repository === undefined ? {} : { repository }),
    },
    expiresOn: expiresAt,
  };
}
