import { oauthCode } from './oauthBrowser.ts';
import { type Answer, RETURN_URL, type Stack } from './stack.ts';
import { waitFor } from './waitFor.ts';

/** The steps of the connect guide over the public API, each waiting for its end. */

/** Throws with the whole answer unless the status is one of these. */
export function expectStatus(answer: Answer, ...allowed: number[]): Answer {
  if (!allowed.includes(answer.status)) {
    throw new Error(
      `expected ${allowed.join(' or ')}, got ${answer.status}: ${JSON.stringify(answer.body, null, 1)}\n${answer.log ?? ''}`,
    );
  }
  return answer;
}

/** A credential of the simulator's list, as the api takes it. */
export function credentialBody(stack: Stack, name: string): Record<string, unknown> {
  const { kind, secret, login, workspace, project, repository } = stack.simulator.credential(name);
  if (kind === 'api_token') return { kind: 'api_token', email: login, token: secret };
  if (kind === 'app_password' || kind === 'password')
    return { kind: 'basic', username: login, password: secret };
  return {
    kind: 'access_token',
    token: secret,
    workspace,
    ...(project === null ? {} : { project }),
    ...(repository === null ? {} : { repository }),
  };
}

/** Makes a draft. */
export async function newIntegration(stack: Stack): Promise<string> {
  const { body } = expectStatus(await stack.call('POST', '/v1/integrations', {}), 201);
  return body.id;
}

/** Submits a credential and gives the finished check. */
export async function submitCredential(stack: Stack, integrationId: string, credential: string | object) {
  const sent = typeof credential === 'string' ? credentialBody(stack, credential) : credential;
  const path = `/v1/integrations/${integrationId}/credential`;
  const first = expectStatus(await stack.call('PUT', path, sent), 200, 202);
  if (first.status === 200) return first.body;
  return waitFor({
    what: 'the connection check is done',
    read: async () => (await stack.call('GET', `/v1/integrations/${integrationId}/connection-check`)).body,
    until: (check) => check.state === 'done',
    timeoutMs: 60_000,
  });
}

/** Consent in the browser, to its end; the finished check. */
export async function consentTo(stack: Stack, integrationId: string, person = 'admin') {
  const path = `/v1/integrations/${integrationId}/oauth`;
  const { body } = expectStatus(await stack.call('POST', path, { return_url: RETURN_URL }), 200);
  const query = Object.fromEntries(new URL(body.authorize_url).searchParams);
  const { code } = await oauthCode(stack.simulator, person, query);
  const callback = new URLSearchParams({ state: query['state'] ?? '', code });
  const back = expectStatus(await stack.call('GET', `/v1/oauth/callback?${callback.toString()}`), 303);
  const completion = new URL(back.headers.get('location') ?? '').searchParams.get('completion');
  const check = expectStatus(await stack.call('POST', `${path}/complete`, { completion }), 200, 202).body;
  return waitFor({
    what: 'the connection check is done',
    read: async () => (await stack.call('GET', `/v1/connection-checks/${check.id}`)).body,
    until: ({ state }) => state === 'done',
  });
}

/** Draft, credential, name and services, discovery: an integration that is ready to import. */
export async function activeIntegration(
  stack: Stack,
  {
    credential = 'api_token.admin',
    name = 'Acme',
    services,
    commitSource,
  }: {
    credential?: string | object;
    name?: string;
    services?: string[];
    commitSource?: 'git' | 'api';
  } = {},
): Promise<string> {
  const id = await newIntegration(stack);
  const check = await submitCredential(stack, id, credential);
  if (check.verdict === 'failed') throw new Error(`the check failed: ${JSON.stringify(check, null, 1)}`);
  await waitFor({
    what: 'the integration is connected',
    read: async () => (await stack.call('GET', `/v1/integrations/${id}`)).body.state,
    until: (state) => state === 'connected',
  });
  const body = {
    name,
    ...(services === undefined ? {} : { services }),
    ...(commitSource === undefined ? {} : { commit_source: commitSource }),
  };
  expectStatus(await stack.call('POST', `/v1/integrations/${id}/create`, body), 200);
  await discovered(stack, id);
  return id;
}

export async function discovered(stack: Stack, integrationId: string): Promise<void> {
  await waitFor({
    what: 'the discovery is done',
    read: async () => (await stack.call('GET', `/v1/integrations/${integrationId}`)).body.discovery,
    until: (discovery) => discovery.state === 'done',
    timeoutMs: 60_000,
  });
}

/** Everything of a list, page by page. */
export async function listAll(stack: Stack, path: string): Promise<Answer['body'][]> {
  const all: Answer['body'][] = [];
  for (let cursor: string | null = null; ; ) {
    const at =
      cursor === null ? path : `${path}${path.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(cursor)}`;
    const { body } = expectStatus(await stack.call('GET', at), 200);
    all.push(...body.data);
    cursor = body.next_cursor;
    if (cursor === null) return all;
  }
}

/** Starts an import (of everything, unless told) and gives its id. */
export async function startImport(
  stack: Stack,
  integrationId: string,
  body: object = { all: true },
): Promise<string> {
  const { headers } = expectStatus(
    await stack.call('POST', `/v1/integrations/${integrationId}/imports`, body),
    202,
  );
  return String(headers.get('location')).split('/').at(-1) ?? '';
}

const ENDED = ['completed', 'completed_with_failures', 'cancelled'];

/** Waits until an import has ended and gives it. */
export async function importEnded(stack: Stack, importId: string, timeoutMs = 180_000) {
  return waitFor({
    what: `import ${importId} has ended`,
    read: async () => (await stack.call('GET', `/v1/imports/${importId}`)).body,
    until: (body) => ENDED.includes(body.state),
    timeoutMs,
    intervalMs: 200,
  });
}
