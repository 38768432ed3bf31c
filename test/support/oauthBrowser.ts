import type { Simulator } from '../../simulator/simulator.ts';

/** Any address of this machine will do for the simulator's consumer; nobody listens there. */
const REDIRECT_URI = 'http://127.0.0.1:1/v1/oauth/callback';

const hidden = (page: string, name: string): string =>
  new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? '';

/** Logs in as a person of the simulator and approves, as a browser would; gives the code that comes back. */
export async function oauthCode(
  simulator: Simulator,
  person: string,
  parameters: Record<string, string> = {},
): Promise<{ code: string; redirectUri: string }> {
  const { login, secret } = simulator.credential(`password.${person}`);
  const signIn = await fetch(`${simulator.url}/account/signin/`, {
    method: 'POST',
    redirect: 'manual',
    body: new URLSearchParams({ next: '/', username: login ?? '', password: secret }),
  });
  const cookie = (signIn.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  const query = new URLSearchParams({
    client_id: simulator.consumer.key,
    response_type: 'code',
    redirect_uri: REDIRECT_URI,
    ...parameters,
  });
  const authorize = `${simulator.url}/site/oauth2/authorize?${query.toString()}`;
  const consent = await (await fetch(authorize, { headers: { cookie } })).text();
  const approved = await fetch(authorize, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie },
    body: new URLSearchParams({ form_token: hidden(consent, 'form_token'), action: 'approve' }),
  });
  const code = new URL(approved.headers.get('location') ?? '', simulator.url).searchParams.get('code');
  if (code === null) throw new Error(`the simulator gave no code (${String(approved.status)})`);
  return { code, redirectUri: REDIRECT_URI };
}

/** Tokens of a person of the simulator, as the code exchange gives them. */
export async function oauthTokens(
  simulator: Simulator,
  person: string,
): Promise<{ access_token: string; refresh_token: string }> {
  const { code, redirectUri } = await oauthCode(simulator, person);
  const { key, secret } = simulator.consumer;
  const answer = await fetch(`${simulator.url}/site/oauth2/access_token`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}` },
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: redirectUri }),
  });
  const { access_token, refresh_token } = (await answer.json()) as Record<string, string>;
  if (access_token === undefined || refresh_token === undefined)
    throw new Error('the simulator gave no tokens');
  return { access_token, refresh_token };
}
