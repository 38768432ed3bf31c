import type { CredentialKind, Finding } from '../../../workflows/words.ts';
import { AuthRefused, Forbidden, ScopeMissing } from '../errors.ts';
import { appPasswordRemoved, invalidCredentials } from '../findings.ts';
import { unreadable } from '../readJson.ts';
import { currentUserSchema } from '../schemas.ts';
import type { Asker } from './ask.ts';
import { twoFactorRequired, usernameInsteadOfEmail } from './findings.ts';
import type { ConnectionReport } from './report.ts';

export type Identity =
  | { is: 'known'; account: NonNullable<ConnectionReport['account']> }
  /** the credential is good, but may not say who it is, for this reason */
  | { is: 'hidden'; finding: Finding }
  | { is: 'refused'; finding: Finding };

export interface Presented {
  kind: CredentialKind;
  /** e-mail or user name of Basic credentials */
  userName: string | null;
  /** the host is configured to take passwords */
  passwordLogin: boolean;
}

/** Asks `GET /user`: a 403 there with scope headers means "valid, but may not ask" (facts 1.5). */
export async function whoIsIt(asker: Asker, presented: Presented): Promise<Identity> {
  const answer = await asker.askOr<AuthRefused | ScopeMissing | Forbidden>(
    '/user',
    AuthRefused,
    ScopeMissing,
    Forbidden,
  );
  if (answer instanceof AuthRefused) return { is: 'refused', finding: refusal(presented) };
  if (answer instanceof ScopeMissing) return { is: 'hidden', finding: answer.finding };
  if (answer instanceof Forbidden) {
    const named = answer.scopes.granted !== undefined;
    if (presented.kind === 'basic' && !named) return { is: 'refused', finding: twoFactorRequired() };
    // An access token has no account to show; its headers prove that it is good.
    if (presented.kind === 'access_token' && named) return { is: 'hidden', finding: answer.finding };
    return { is: 'refused', finding: answer.finding };
  }
  const user = currentUserSchema.safeParse(answer.json);
  if (!user.success) throw unreadable('/user', 'does not show a user', { status: answer.status });
  const { uuid, display_name: display, nickname, username } = user.data;
  return {
    is: 'known',
    account: { uuid, name: display ?? nickname ?? username ?? uuid, kind: user.data.type ?? 'user' },
  };
}

/** What a 401 can mean follows from what was presented, not from Bitbucket's words. */
function refusal({ kind, userName, passwordLogin }: Presented): Finding {
  if (kind === 'basic' && !passwordLogin) return appPasswordRemoved();
  if (kind === 'api_token' && userName?.includes('@') === false) return usernameInsteadOfEmail();
  return invalidCredentials(kind);
}
