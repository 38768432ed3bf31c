import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { createTokenEndpoint, GrantRefused } from '../../../activities/bitbucket/tokenEndpoint.ts';
import { Secret } from '../../../platform/secrets/secret.ts';

const endpoint = (webUrl: string) =>
  createTokenEndpoint({ webUrl, clientKey: 'key', clientSecret: new Secret('client-secret-canary') });
const refresh = (webUrl: string) => endpoint(webUrl).refresh(new Secret('refresh-token-canary'));

/** A token endpoint with one answer. */
async function answering<T>(
  status: number,
  body: string,
  work: (url: string) => Promise<T>,
  headers: Record<string, string> = {},
): Promise<T> {
  const server = createServer((_, response) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  try {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return await work(`http://127.0.0.1:${String(port)}`);
  } finally {
    server.close();
  }
}

const pair = { access_token: 'a', refresh_token: 'r', token_type: 'bearer' };

it('tokens travel without encryption to this very machine only', async () => {
  await expect(refresh('http://bitbucket.invalid')).rejects.toMatchObject({
    type: 'RateLimited',
    finding: { code: 'oauth_needs_https' },
  });
});

it.each([
  [{ scopes: 'account pullrequest' }, ['account', 'pullrequest']],
  [{ scope: 'pullrequest, account' }, ['pullrequest', 'account']],
  [{}, null],
])('scopes are read as Bitbucket names them: %j', async (more, scopes) => {
  const body = JSON.stringify({ ...pair, expires_in: 7200, ...more });
  const tokens = await answering(200, body, refresh);
  expect(tokens).toMatchObject({ expiresInSeconds: 7200, scopes });
  expect(tokens.refreshToken.reveal()).toBe('r');
});

it.each([
  [400, '{"error":"invalid_grant","error_description":"x"}', 'invalid_grant'],
  [401, '{"error":"unauthorized_client"}', 'unauthorized_client'],
  [401, 'no JSON', 'invalid_client'],
])('a clear no is told by its code: %i %s', async (status, body, code) => {
  const challenge = { 'www-authenticate': 'Basic realm="x"' };
  const error = await answering(status, body, refresh, challenge).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(GrantRefused);
  expect((error as GrantRefused).error).toBe(code);
});

it.each([
  [200, ''],
  [200, '<html>'],
  [200, '{}'],
  [200, JSON.stringify({ access_token: 'a', token_type: 'bearer' })],
  [500, JSON.stringify(pair)],
  [429, ''],
])('anything else is no answer, and repeats no secret: %i %s', async (status, body) => {
  const error = (await answering(status, body, refresh).catch((thrown: unknown) => thrown)) as Error;
  expect(error).toMatchObject({ retry: { kind: expect.stringMatching(/always|limited|later/) as string } });
  expect(`${error.message} ${error.stack ?? ''} ${JSON.stringify(error)}`).not.toMatch(/canary|<html>/);
});
