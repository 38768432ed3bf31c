import { z } from 'zod';
import { Secret } from '../../platform/secrets/secret.ts';
import type { CredentialKind } from '../../workflows/words.ts';

/** The JSON object that is sealed for each kind (field `credential`). */
const SHAPES = {
  oauth: z.object({ access_token: z.string().min(1), refresh_token: z.string().min(1) }),
  api_token: z.object({ email: z.string(), token: z.string() }),
  access_token: z.object({ token: z.string() }),
  basic: z.object({ username: z.string(), password: z.string() }),
} as const;

export type OpenedSecret =
  | { kind: 'oauth'; accessToken: Secret; refreshToken: Secret }
  | { kind: 'api_token'; email: string; token: Secret }
  | { kind: 'access_token'; token: Secret }
  | { kind: 'basic'; username: string; password: Secret };

/** Reads the opened bytes. Throws an Error that says nothing of their content. */
export function readSecret(kind: CredentialKind, bytes: Uint8Array): OpenedSecret {
  const json = parse(bytes);
  switch (kind) {
    case 'oauth': {
      const { access_token: access, refresh_token: refresh } = shaped(SHAPES.oauth, json);
      return { kind, accessToken: new Secret(access), refreshToken: new Secret(refresh) };
    }
    case 'api_token': {
      const { email, token } = shaped(SHAPES.api_token, json);
      return { kind, email, token: new Secret(token) };
    }
    case 'access_token':
      return { kind, token: new Secret(shaped(SHAPES.access_token, json).token) };
    default: {
      const { username, password } = shaped(SHAPES.basic, json);
      return { kind: 'basic', username, password: new Secret(password) };
    }
  }
}

/** What `readSecret` reads back, for a renewed pair of tokens. */
export const oauthSecretText = (pair: { accessToken: Secret; refreshToken: Secret }): string =>
  JSON.stringify({ access_token: pair.accessToken.reveal(), refresh_token: pair.refreshToken.reveal() });

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch {
    return undefined; // the parser's message would quote the secret
  }
}

function shaped<T>(shape: z.ZodType<T>, json: unknown): T {
  const parsed = shape.safeParse(json);
  if (!parsed.success) throw new Error('A sealed credential does not hold what its kind says.');
  return parsed.data;
}

const basic = (user: string, password: Secret): Secret =>
  new Secret(`Basic ${Buffer.from(`${user}:${password.reveal()}`, 'utf8').toString('base64')}`);
const bearer = (token: Secret): Secret => new Secret(`Bearer ${token.reveal()}`);

/** The Authorization header of API requests (facts 1.1, 1.3, 1.4). */
export function authorizationOf(secret: OpenedSecret): Secret {
  switch (secret.kind) {
    case 'oauth':
      return bearer(secret.accessToken);
    case 'access_token':
      return bearer(secret.token);
    case 'api_token':
      return basic(secret.email, secret.token);
    default:
      return basic(secret.username, secret.password);
  }
}

export interface GitCredential {
  username: string;
  password: Secret;
}

/** User name and password for git over HTTPS (facts 1.7); for an API token not the e-mail. */
export function gitCredentialOf(secret: OpenedSecret): GitCredential {
  switch (secret.kind) {
    case 'oauth':
      return { username: 'x-token-auth', password: secret.accessToken };
    case 'access_token':
      return { username: 'x-token-auth', password: secret.token };
    case 'api_token':
      return { username: 'x-bitbucket-api-token-auth', password: secret.token };
    default:
      return { username: secret.username, password: secret.password };
  }
}
