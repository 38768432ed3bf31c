import type { IncomingMessage } from 'node:http';
import { readBasic } from '../auth/authenticate.ts';
import type { Credentials } from '../auth/credentials.ts';
import { readText } from '../http/body.ts';
import { emptyReply, jsonReply, type Reply } from '../http/reply.ts';
import type { Person } from '../model/people.ts';
import { type Consumer, redirectTarget } from './consumer.ts';
import { type Grants, isGrantError } from './grants.ts';
import { codePage, consentPage, loginPage, problemPage } from './pages.ts';
import type { Sessions } from './sessions.ts';

/** The code of every account with two-step verification; the credentials list names it too. */
export const TWO_FACTOR_CODE = '123456';

export interface OAuth {
  /** Undefined when the path is none of its own. */
  answer(request: IncomingMessage, path: string, query: URLSearchParams): Promise<Reply | undefined>;
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  return new URLSearchParams(await readText(request));
}

/** Only paths of our own: a log-in must not send people elsewhere. */
const localPath = (next: string | null): string => (next !== null && /^\/(?!\/)/.test(next) ? next : '/');

function withParameters(target: string, parameters: Record<string, string | null>): string {
  const url = new URL(target);
  for (const [name, value] of Object.entries(parameters))
    if (value !== null) url.searchParams.set(name, value);
  return url.href;
}

/** The web host's log-in, consent and token addresses (facts 1.1). */
export function createOAuth(options: {
  consumer: Consumer;
  grants: Grants;
  sessions: Sessions;
  credentials: Credentials;
}): OAuth {
  const { consumer, grants, sessions, credentials } = options;

  function personBy(login: string, password: string): Person | undefined {
    const credential = credentials.bySecret(password);
    if (credential?.kind !== 'password' || credential.revoked) return undefined;
    const { person } = credential;
    return person.email === login || person.username === login ? person : undefined;
  }

  const enter = (person: Person, next: string): Reply =>
    emptyReply(302, { location: next, 'set-cookie': sessions.begin(person) });

  async function signIn(request: IncomingMessage, query: URLSearchParams): Promise<Reply> {
    if (request.method !== 'POST') return loginPage(localPath(query.get('next')));
    const form = await readForm(request);
    const next = localPath(form.get('next'));
    const step = form.get('step');
    if (step !== null) {
      const person = sessions.takeAwaited(step);
      if (person === undefined) return loginPage(next, 'Log in again.');
      if (form.get('code') === TWO_FACTOR_CODE) return enter(person, next);
      return codePage(next, sessions.awaitCode(person), 'The code is not right.');
    }
    const person = personBy(form.get('username') ?? '', form.get('password') ?? '');
    if (person === undefined) return loginPage(next, 'Incorrect email or username, or password.');
    return person.twoFactor ? codePage(next, sessions.awaitCode(person)) : enter(person, next);
  }

  /** What the consumer has, or less where `scope` asks for less; more is refused. */
  function scopesOf(query: URLSearchParams): readonly string[] | undefined {
    const asked = query.get('scope');
    if (asked === null || asked.trim() === '') return consumer.scopes;
    const scopes = asked.trim().split(/[\s,]+/);
    return scopes.every((scope) => consumer.scopes.includes(scope)) ? scopes : undefined;
  }

  async function authorize(request: IncomingMessage, query: URLSearchParams): Promise<Reply> {
    if (query.get('client_id') !== consumer.key) {
      return problemPage('Invalid client_id', 'This integration is not registered here.');
    }
    const asked = query.get('redirect_uri');
    const target = redirectTarget(consumer, asked);
    if (target === undefined) {
      return problemPage('Invalid redirect_uri', 'It does not match the callback of the OAuth consumer.');
    }
    const state = query.get('state');
    const back = (parameters: Record<string, string | null>): Reply =>
      emptyReply(302, { location: withParameters(target, { ...parameters, state }) });
    if (query.get('response_type') !== 'code') return back({ error: 'unsupported_response_type' });
    const scopes = scopesOf(query);
    if (scopes === undefined) return back({ error: 'invalid_scope' });
    const challenge = query.get('code_challenge');
    if (challenge !== null && query.get('code_challenge_method') !== 'S256') {
      return back({ error: 'invalid_request', error_description: 'code_challenge_method must be S256' });
    }
    const session = sessions.of(request.headers.cookie);
    if (session === undefined) {
      const next = `/site/oauth2/authorize?${query.toString()}`;
      return emptyReply(302, { location: `/account/signin/?next=${encodeURIComponent(next)}` });
    }
    if (request.method !== 'POST') {
      return consentPage({
        consumer: consumer.name,
        person: session.person.displayName,
        scopes,
        formToken: session.formToken,
        query: query.toString(),
      });
    }
    const form = await readForm(request);
    if (form.get('form_token') !== session.formToken) {
      return problemPage('Try again', 'The form has expired.');
    }
    if (form.get('action') !== 'approve') {
      return back({ error: 'access_denied', error_description: 'The user denied access' });
    }
    return back({
      code: grants.issueCode({ person: session.person, scopes, redirectUri: asked, challenge }),
    });
  }

  function grantOf(form: URLSearchParams) {
    const type = form.get('grant_type');
    if (type === 'authorization_code') {
      return grants.exchange({
        code: form.get('code') ?? '',
        redirectUri: form.get('redirect_uri'),
        verifier: form.get('code_verifier'),
      });
    }
    if (type === 'refresh_token') return grants.refresh(form.get('refresh_token') ?? '');
    if (type === 'client_credentials') return grants.clientCredentials();
    return { error: 'invalid_grant', error_description: `Unsupported grant type: ${type ?? 'None'}` };
  }

  async function token(request: IncomingMessage): Promise<Reply> {
    const form = await readForm(request);
    const client = readBasic(request.headers.authorization ?? '');
    const known = client?.username === consumer.key && client.password === consumer.secret;
    const answer = known
      ? grantOf(form)
      : { error: 'unauthorized_client', error_description: 'Invalid OAuth client credentials' };
    if (!isGrantError(answer)) return jsonReply(JSON.stringify(answer), 200, { 'cache-control': 'no-store' });
    const { error, error_description } = answer;
    return jsonReply(JSON.stringify({ error_description, error }), 400);
  }

  return {
    async answer(request, path, query) {
      switch (path) {
        case '/site/oauth2/authorize':
          return await authorize(request, query);
        case '/site/oauth2/access_token':
          return request.method === 'POST' ? await token(request) : emptyReply(405);
        case '/account/signin/':
        case '/account/signin':
          return await signIn(request, query);
        case '/account/signout/':
          sessions.end(request.headers.cookie);
          return emptyReply(302, { location: '/account/signin/' });
        default:
          return undefined;
      }
    },
  };
}
