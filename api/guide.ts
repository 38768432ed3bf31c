import type { Provider } from './schemas/provider.ts';

type Kind = Provider['credential_kinds'][number];
type Field = Kind['fields'][number];

/**
 * Scopes per service. The connection check has its own table (`activities/bitbucket/scopes.ts`), which the api must
 * not import; a test holds the two together.
 */
const OAUTH_SCOPES: Pick<Kind, 'account_scopes' | 'service_scopes' | 'webhook_scopes'> = {
  account_scopes: ['account'],
  service_scopes: [
    { service: 'repositories', scopes: ['repository'] },
    { service: 'pull_requests', scopes: ['pullrequest'] },
    { service: 'tickets', scopes: ['issue', 'repository'] },
  ],
  webhook_scopes: ['webhook', 'repository', 'pullrequest'],
};

const API_TOKEN_SCOPES: typeof OAUTH_SCOPES = {
  account_scopes: ['read:user:bitbucket', 'read:workspace:bitbucket'],
  service_scopes: [
    { service: 'repositories', scopes: ['read:repository:bitbucket'] },
    { service: 'pull_requests', scopes: ['read:pullrequest:bitbucket', 'read:repository:bitbucket'] },
    { service: 'tickets', scopes: ['read:issue:bitbucket', 'read:repository:bitbucket'] },
  ],
  webhook_scopes: ['read:webhook:bitbucket', 'write:webhook:bitbucket', 'delete:webhook:bitbucket'],
};

const input = (name: string, label: string, hint: string, more: Partial<Field> = {}): Field => ({
  name,
  label,
  hint,
  secret: false,
  required: true,
  ...more,
});

const expiresOn = input('expires_on', 'Expires on', 'Where known: you are then warned before it ends.', {
  required: false,
});

const INSTRUCTIONS = 'https://support.atlassian.com/bitbucket-cloud/docs';

/** The guide of this installation; OAuth is offered where a consumer is configured. */
export const bitbucketGuide = ({ oauthKey }: { oauthKey: string | undefined }): Provider => ({
  provider: 'bitbucket_cloud',
  name: 'Bitbucket Cloud',
  advice: [
    'Use a service account: an account of its own that belongs to nobody, so that the integration stays when a person leaves.',
    'Read access is enough. The account sees what it was given access to, and nothing else is imported.',
  ],
  services: [
    {
      service: 'repositories',
      name: 'Repositories',
      brings: 'Branches, tags and commits with files and line counts.',
    },
    {
      service: 'pull_requests',
      name: 'Pull requests',
      brings: 'Pull requests with reviews, approvals and comments.',
    },
    {
      service: 'tickets',
      name: 'Tickets',
      brings: 'Issues with comments and changes, where the host still has an issue tracker.',
    },
  ],
  credential_kinds: [
    {
      kind: 'oauth',
      name: 'Connect in the browser (OAuth)',
      available: oauthKey !== undefined,
      fields: [],
      ...OAUTH_SCOPES,
      notes: ['Log in at Bitbucket as the service account before you press Connect.'],
      instructions_url: `${INSTRUCTIONS}/use-oauth-on-bitbucket-cloud/`,
    },
    {
      kind: 'api_token',
      name: 'API token',
      available: true,
      fields: [
        input('email', 'E-mail address', 'The Atlassian account’s e-mail address, not its user name.'),
        input('token', 'API token', 'Created “with scopes” for the Bitbucket app.', { secret: true }),
        expiresOn,
      ],
      ...API_TOKEN_SCOPES,
      notes: [
        'A token that was created without scopes is refused by Bitbucket.',
        'API tokens live for a year at most.',
      ],
      instructions_url: `${INSTRUCTIONS}/create-an-api-token/`,
    },
    {
      kind: 'access_token',
      name: 'Workspace, project or repository access token',
      available: true,
      fields: [
        input('token', 'Access token', 'From the settings of the workspace, project or repository.', {
          secret: true,
        }),
        input('workspace', 'Workspace', 'Slug of the workspace, as in its address.'),
        input('project', 'Project', 'Key of the project, for a project access token.', { required: false }),
        input('repository', 'Repository', 'Slug of the repository, for a repository access token.', {
          required: false,
        }),
        expiresOn,
      ],
      ...OAUTH_SCOPES,
      notes: [
        'The account scope exists for workspace access tokens only; it is not needed for the other two.',
      ],
      instructions_url: `${INSTRUCTIONS}/access-tokens/`,
    },
    {
      kind: 'basic',
      name: 'User name and password',
      available: true,
      fields: [
        input('username', 'User name', 'The Bitbucket user name.'),
        input(
          'password',
          'Password',
          'An app password; with two-factor login the account’s password is refused.',
          {
            secret: true,
          },
        ),
      ],
      ...OAUTH_SCOPES,
      notes: ['Historic: bitbucket.org no longer takes passwords or app passwords. Use an API token there.'],
      instructions_url: `${INSTRUCTIONS}/app-passwords/`,
    },
  ],
  webhook_note:
    'Webhooks are optional. Creating them needs an account that administers the workspace or the repositories; without them changes are found by polling.',
});
