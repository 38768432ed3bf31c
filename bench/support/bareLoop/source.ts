import type { BitbucketAnswer } from '../../../activities/bitbucket/client.ts';
import type { Remote } from '../../../activities/git/mirror.ts';
import { Secret } from '../../../platform/secrets/secret.ts';

/** The simulated host, asked with plain `fetch`. */
export interface Source {
  /** `place`: a path under the API base, or a `next` */
  get(place: string): Promise<BitbucketAnswer>;
  cloneOf(fullName: string): Remote;
}

export function createSource(
  simulatorUrl: string,
  { login, secret }: { login: string; secret: string },
): Source {
  const authorization = `Basic ${Buffer.from(`${login}:${secret}`).toString('base64')}`;
  return {
    async get(place) {
      const url = place.startsWith('http') ? place : `${simulatorUrl}/2.0${place}`;
      const response = await fetch(url, { headers: { authorization } });
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.status !== 200) throw new Error(`${url} answers ${response.status}`);
      const json: unknown = JSON.parse(new TextDecoder().decode(bytes));
      const date = undefined;
      return { status: 200, json, bytes, observedAt: new Date().toISOString(), date, scopes: {} };
    },
    cloneOf: (fullName) => ({
      url: `${simulatorUrl}/${fullName}.git`,
      login: { username: 'x-bitbucket-api-token-auth', password: new Secret(secret), origin: simulatorUrl },
    }),
  };
}
