import type { CredentialKind, Finding, Service } from '../../../workflows/words.ts';

/** Findings that only the connection check gives. */

export const connectionOk = (name: string): Finding => ({
  code: 'connection_ok',
  message: `Connected to Bitbucket Cloud as ${name}.`,
  remedy: 'Choose services and a name, then create the integration.',
});

export const twoFactorRequired = (): Finding => ({
  code: 'two_factor_required',
  message:
    'The password is right, but the account uses two-step verification, and then Bitbucket takes no password here.',
  remedy: 'Create an app password (or an API token) for the account and use that instead of the password.',
});

export const usernameInsteadOfEmail = (): Finding => ({
  code: 'username_instead_of_email',
  message: 'Bitbucket does not accept the credential, and the user given is no e-mail address.',
  remedy: 'API tokens go with the e-mail of the Atlassian account, not with the Bitbucket user name.',
});

const LESS: Record<CredentialKind, string> = {
  oauth:
    'The owner of the OAuth consumer can take these scopes away from it in Bitbucket’s workspace settings; whoever connects cannot.',
  api_token: 'Read access is enough: a token with fewer scopes does the same and risks less.',
  access_token: 'Read access is enough: a token with fewer scopes does the same and risks less.',
  basic: 'Read access is enough: an app password with fewer permissions does the same and risks less.',
};

export const excessScopesFinding = (kind: CredentialKind, excess: readonly string[]): Finding => ({
  code: 'excess_scopes',
  message: `The credential may do more than is needed: ${excess.join(', ')}.`,
  remedy: LESS[kind],
  details: { excess: [...excess] },
});

export const notWorkspaceAdmin = (workspace: string): Finding => ({
  code: 'not_workspace_admin',
  message: `The account is no administrator of the workspace ${workspace}, so webhooks cannot be set up there.`,
  remedy:
    'Changes are then found by asking regularly. For changes within seconds connect as an administrator.',
  details: { workspace },
});

export const repositoriesOnly = (workspace: string): Finding => ({
  code: 'repositories_only',
  message: `Webhooks can be set up in ${workspace} only for repositories that this account administers.`,
  remedy:
    'For webhooks of the whole workspace connect as its administrator, or with a workspace access token.',
  details: { workspace },
});

export const nothingVisible = (what: 'workspace' | 'repository', where?: string): Finding => ({
  code: 'nothing_visible',
  message:
    what === 'workspace'
      ? 'The credential works, but the account sees no workspace.'
      : `The credential works, but sees no repository${where === undefined ? '' : ` in ${where}`}.`,
  remedy: 'Give the account access in Bitbucket to what should be imported, and check the names given.',
});

export const SERVICE_NAMES: Record<Service, string> = {
  repositories: 'To import repositories',
  pull_requests: 'To import pull requests',
  tickets: 'To import tickets',
};
