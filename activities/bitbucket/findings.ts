import { CREDENTIAL_HELD } from '../../workflows/findings.ts';
import type { CredentialKind, Finding } from '../../workflows/words.ts';

/** Findings that both the client and the connection check give: code, message, remedy (design 5.1). */

const CAUSES: Record<CredentialKind, string> = {
  oauth:
    'The access was revoked in Bitbucket, the OAuth consumer was removed, or the account was deactivated. Connect again.',
  api_token:
    'These look the same to us: the token is mistyped, expired or revoked; it was made without scopes (choose “Create API token with scopes”, app Bitbucket); the e-mail is not that of the Atlassian account which made it. Check them, or create a new token at id.atlassian.com.',
  access_token:
    'These look the same to us: the token is mistyped, expired or revoked; its workspace, project or repository was deleted or transferred. Create a new access token in Bitbucket and submit it.',
  basic:
    'These look the same to us: user name or password is wrong, or the app password was revoked. Check both, or use an API token.',
};

/** 401. The remedy lists every cause that looks the same. */
export const invalidCredentials = (kind: CredentialKind): Finding => ({
  code: 'invalid_credentials',
  message: 'Bitbucket does not accept the credential.',
  remedy: CAUSES[kind],
});

export const appPasswordRemoved = (): Finding => ({
  code: 'app_password_removed',
  message: 'Bitbucket Cloud no longer accepts passwords, and it removed app passwords on 28 July 2026.',
  remedy:
    'Connect with OAuth, or create an API token with scopes at id.atlassian.com and use it with your Atlassian e-mail.',
});

const HOW_TO_ADD: Record<CredentialKind, string> = {
  oauth: 'Add them to the OAuth consumer in Bitbucket’s workspace settings, then connect again.',
  api_token: 'Scopes of a token cannot be changed: create a new API token with them and submit it.',
  access_token: 'Scopes of a token cannot be changed: create a new access token with them and submit it.',
  basic: 'Create a new app password with these permissions and submit it.',
};

/** `what`: a phrase such as `To import pull requests`. */
export const missingScopesFinding = (
  kind: CredentialKind,
  what: string,
  missing: readonly string[],
  details: Record<string, unknown> = {},
): Finding => ({
  code: 'missing_scopes',
  message: `${what}, the credential lacks ${missing.length === 1 ? 'the scope' : 'the scopes'} ${missing.join(', ')}.`,
  remedy: HOW_TO_ADD[kind],
  details: { missing: [...missing], ...details },
});

export const rateLimitedFinding = (until: string): Finding => ({
  code: 'rate_limited',
  message: `Bitbucket's request limit for this account is used up until ${until}.`,
  remedy: 'Nothing to do: the engine waits and goes on by itself. The limit counts all use of the account.',
  details: { until },
});

/** `since`: HH:MM UTC of the last refusal. */
export const credentialHeld = (since: string): Finding => ({
  code: CREDENTIAL_HELD,
  message: `Bitbucket refused the credential (401) several times in a row, last at ${since} UTC; nothing else is asked with it meanwhile.`,
  remedy:
    'Nothing to do: one small request every ten minutes finds out whether that passes. If the credential was revoked, submit a new one.',
});

export const credentialExpired = (kind: CredentialKind): Finding => ({
  code: 'credential_expired',
  message:
    kind === 'oauth'
      ? 'Bitbucket no longer renews this access: the refresh token has expired or was revoked.'
      : 'The credential is past the expiry date given for it.',
  remedy: kind === 'oauth' ? 'Connect again.' : 'Create a new token in Bitbucket and submit it.',
});
