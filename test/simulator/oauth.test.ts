import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { OAuthOptions } from '../../simulator/options.ts';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { createClient, type Shown } from './client.ts';

const CALLBACK = 'http://127.0.0.1:1/callback';
const VERIFIER = 'v'.repeat(64);
const CHALLENGE = createHash('sha256').update(VERIFIER).digest('base64url');

/** A browser with one cookie jar that follows no redirect by itself. */
function createBrowser(simulator: Simulator) {
  let cookie = '';
  return async (path: string, form?: Record<string, string>) => {
    const response = await fetch(new URL(path, simulator.url), {
      redirect: 'manual',
      headers: { cookie },
      ...(form === undefined ? {} : { method: 'POST', body: new URLSearchParams(form) }),
    });
    cookie = response.headers.get('set-cookie')?.split(';')[0] ?? cookie;
    return {
      status: response.status,
      location: response.headers.get('location') ?? '',
      text: await response.text(),
    };
  };
}

const field = (html: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(html)?.[1] ?? '';

describe('OAuth', () => {
  let simulator: Simulator;
  const start = async (oauth: OAuthOptions = {}) => {
    simulator = await createSimulator({
      limit: 0,
      oauth: { callbackUrl: CALLBACK, ...oauth },
      world: { workspaces: [{ slug: 'one', name: 'One', projects: [] }], repositories: [] },
    });
  };
  beforeEach(() => start());
  afterEach(() => simulator.close());

  const authorizePath = (extra: Record<string, string> = {}): string =>
    `/site/oauth2/authorize?${new URLSearchParams({
      client_id: simulator.consumer.key,
      response_type: 'code',
      state: 'st&te',
      code_challenge: CHALLENGE,
      code_challenge_method: 'S256',
      ...extra,
    }).toString()}`;

  async function consent(
    action: string,
    who = 'password.admin',
    extra: Record<string, string> = {},
  ): Promise<URL> {
    const browser = createBrowser(simulator);
    const login = await browser(authorizePath(extra));
    expect(login.location).toContain('/account/signin/?next=');
    const next = new URL(login.location, simulator.url).searchParams.get('next') ?? '';
    const { login: username, secret } = simulator.credential(who);
    let entered = await browser('/account/signin/', { username: username ?? '', password: secret, next });
    if (entered.status === 200) {
      entered = await browser('/account/signin/', {
        step: field(entered.text, 'step'),
        code: '123456',
        next,
      });
    }
    const page = await browser(entered.location);
    expect(page.text).toContain('requests access');
    const answer = await browser(entered.location, { form_token: field(page.text, 'form_token'), action });
    expect(answer.status).toBe(302);
    return new URL(answer.location);
  }

  async function token(form: Record<string, string>, secret = simulator.consumer.secret) {
    const response = await fetch(`${simulator.url}/site/oauth2/access_token`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${simulator.consumer.key}:${secret}`).toString('base64')}`,
      },
      body: new URLSearchParams(form),
    });
    return { status: response.status, json: (await response.json()) as Shown };
  }

  const exchange = (code: string, verifier = VERIFIER) =>
    token({ grant_type: 'authorization_code', code, code_verifier: verifier });
  const refresh = (refresh_token: string) => token({ grant_type: 'refresh_token', refresh_token });
  const user = async (access: string) =>
    createClient(simulator, undefined).send('/user', { headers: { authorization: `Bearer ${access}` } });

  async function connected() {
    const code = (await consent('approve')).searchParams.get('code') ?? '';
    return (await exchange(code)).json;
  }

  it('walks from log-in over consent to a working token', async () => {
    const back = await consent('approve', 'password.member');
    expect(back.href.startsWith(`${CALLBACK}?`)).toBe(true);
    expect(back.searchParams.get('state')).toBe('st&te');
    const { status, json } = await exchange(back.searchParams.get('code') ?? '');
    expect(status).toBe(200);
    expect(json).toMatchObject({ token_type: 'bearer', expires_in: 7200 });
    expect(json.scopes.split(' ')).toContain('pullrequest');
    expect(json.access_token.length).toBeGreaterThan(2500);
    const answer = await user(json.access_token);
    expect(answer.json.username).toBe('mia-member');
    expect(answer.headers['x-oauth-scopes']).toBe(
      'account, project, repository, pullrequest, issue, webhook',
    );
  });

  it('refuses wrong passwords and codes of the second step', async () => {
    const browser = createBrowser(simulator);
    expect((await browser('/account/signin/', { username: 'ada-admin', password: 'no' })).status).toBe(401);
    const { login, secret } = simulator.credential('password.member');
    const step = await browser('/account/signin/', { username: login ?? '', password: secret });
    const wrong = await browser('/account/signin/', { step: field(step.text, 'step'), code: '000000' });
    expect(wrong.status).toBe(401);
  });

  it('tells the callback that access was denied', async () => {
    const back = await consent('deny');
    expect(back.searchParams.get('error')).toBe('access_denied');
    expect(back.searchParams.get('state')).toBe('st&te');
    expect(back.searchParams.has('code')).toBe(false);
  });

  it('takes a code once, within ten minutes, with its verifier', async () => {
    const code = (await consent('approve')).searchParams.get('code') ?? '';
    expect((await exchange(code)).status).toBe(200);
    expect((await exchange(code)).json.error).toBe('invalid_grant');
    const late = (await consent('approve')).searchParams.get('code') ?? '';
    simulator.clock.advance(600_001);
    expect((await exchange(late)).json.error).toBe('invalid_grant');
    const unproved = (await consent('approve')).searchParams.get('code') ?? '';
    expect((await exchange(unproved, 'x'.repeat(64))).json.error).toBe('invalid_grant');
  });

  it('refuses other callbacks, clients, scopes and secrets', async () => {
    const browser = createBrowser(simulator);
    expect((await browser(authorizePath({ redirect_uri: 'http://evil.example/' }))).status).toBe(400);
    expect((await browser(authorizePath({ client_id: 'nobody' }))).status).toBe(400);
    const scope = await browser(authorizePath({ scope: 'repository:admin' }));
    expect(new URL(scope.location).searchParams.get('error')).toBe('invalid_scope');
    expect((await token({ grant_type: 'client_credentials' }, 'wrong')).json.error).toBe(
      'unauthorized_client',
    );
    expect((await token({ grant_type: 'password' })).json).toEqual({
      error: 'invalid_grant',
      error_description: 'Unsupported grant type: password',
    });
  });

  it('ends access tokens after their lifetime', async () => {
    const { access_token } = await connected();
    simulator.clock.advance(7_200_000);
    const answer = await user(access_token);
    expect([answer.status, answer.json.error.message]).toEqual([
      401,
      'Access token expired. Use your refresh token to obtain a new access token.',
    ]);
  });

  it('rotates refresh tokens and takes a used one for ten more minutes', async () => {
    const first = await connected();
    const second = (await refresh(first.refresh_token)).json;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect((await user(second.access_token)).status).toBe(200);
    expect((await refresh(first.refresh_token)).status).toBe(200);
    simulator.clock.advance(600_001);
    expect((await refresh(first.refresh_token)).json.error).toBe('invalid_grant');
    expect((await refresh(second.refresh_token)).status).toBe(200);
  });

  it('can give used refresh tokens no grace at all: the whole grant ends, and no other', async () => {
    await simulator.close();
    await start({ refreshLeewayMs: null });
    const [first, other] = [await connected(), await connected()];
    const second = (await refresh(first.refresh_token)).json;
    expect((await user(second.access_token)).status).toBe(200);
    expect((await refresh(first.refresh_token)).json).toEqual({
      error: 'unauthorized_client',
      error_description: 'Invalid OAuth client credentials',
    });
    expect((await refresh(second.refresh_token)).json.error).toBe('invalid_grant');
    expect((await user(second.access_token)).status).toBe(401);
    expect((await user(other.access_token)).status).toBe(200);
    expect((await refresh(other.refresh_token)).status).toBe(200);
  });

  it('ends everything when the user revokes the grant', async () => {
    const { access_token, refresh_token } = await connected();
    await simulator.mutate({ kind: 'oauth.revoke', user: 'admin' });
    expect((await user(access_token)).status).toBe(401);
    expect((await refresh(refresh_token)).json.error).toBe('invalid_grant');
  });
});
