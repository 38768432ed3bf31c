import type { Simulator } from '../../simulator/simulator.ts';
import type { CredentialKind } from '../../workflows/words.ts';
import type { CredentialRows } from './bitbucketEngine.ts';

/** A credential as somebody fits it in. */
export interface PresentedCredential {
  kind: CredentialKind;
  secret: Record<string, string>;
  fields?: Record<string, string>;
  expiresOn?: string;
}

/** A credential of the simulator's list as the api would store it. */
export function presentedCredential(simulator: Simulator, name: string): PresentedCredential {
  const found = simulator.credential(name);
  const { kind, secret, login } = found;
  if (kind === 'api_token') return { kind, secret: { email: login ?? '', token: secret } };
  if (kind === 'password' || kind === 'app_password') {
    return { kind: 'basic', secret: { username: login ?? '', password: secret } };
  }
  const fields = { workspace: found.workspace, project: found.project, repository: found.repository };
  return {
    kind: 'access_token',
    secret: { token: secret },
    fields: Object.fromEntries(
      Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null),
    ),
  };
}

/** An integration that signs with a credential of the simulator's list, in its own organization unless one is given. */
export function integrationWith(
  { rows, simulator }: { rows: CredentialRows; simulator: Simulator },
  name: string,
  organizationId?: string,
): ReturnType<CredentialRows['integration']> {
  const { kind, secret, ...more } = presentedCredential(simulator, name);
  return rows.integration(kind, secret, {
    ...more,
    ...(organizationId === undefined ? {} : { organizationId }),
  });
}
