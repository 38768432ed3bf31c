import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createSimulator, type Simulator } from '../support/simulator.ts';
import { authorization, createClient } from './client.ts';

describe.each(['guide', 'today'] as const)('logging in to a host of the era %s', (era) => {
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await createSimulator({ era, limit: 0 });
  });
  afterAll(() => simulator.close());

  const user = async (header: string | undefined) =>
    createClient(simulator, undefined).send(
      '/user',
      header === undefined ? {} : { headers: { authorization: header } },
    );
  const basic = (name: string, password: string) =>
    `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

  it('takes an API token with the e-mail address and says its scopes in its own words', async () => {
    const answer = await createClient(simulator, 'api_token.service').get('/user');
    expect(answer.status).toBe(200);
    expect(answer.json.username).toBe('import-service');
    expect(answer.headers['x-credential-type']).toBe('api_token');
    expect(answer.headers['x-oauth-scopes']).toContain('read:pullrequest:bitbucket');
    expect(answer.headers['x-accepted-oauth-scopes']).toBe('account');
  });

  it('answers every useless token byte for byte the same', async () => {
    const token = simulator.credential('api_token.service');
    const answers = await Promise.all([
      user(authorization(token, 'import-service')),
      user(authorization(simulator.credential('api_token.unscoped'))),
      user(authorization(simulator.credential('api_token.expired'))),
      user(authorization(simulator.credential('api_token.revoked'))),
      user(basic('import-service@example.com', `${token.secret}x`)),
      user(`Bearer ${token.secret}`),
      user(`Bearer ${simulator.credential('access_token.revoked').secret}`),
    ]);
    expect(answers[0]).toMatchObject({
      status: 401,
      text: '{"type":"error","error":{"message":"Token is invalid, expired, or not supported for this endpoint."}}',
    });
    for (const answer of answers) expect(answer).toEqual(answers[0]);
  });

  it('answers an unknown user and a wrong password the same, without a body', async () => {
    const answers = [await user(basic('nobody', 'x')), await user(basic('import-service', 'wrong'))];
    expect(answers[0]).toMatchObject({ status: 401, text: '' });
    expect(answers[0]?.headers['www-authenticate']).toBe('Basic realm="Bitbucket.org HTTP"');
    expect(answers[1]).toEqual(answers[0]);
  });

  it('takes app passwords and passwords only before their removal', async () => {
    const app = await user(authorization(simulator.credential('app_password.member')));
    const password = await user(authorization(simulator.credential('password.service')));
    const twoFactor = await user(authorization(simulator.credential('password.member')));
    if (era === 'guide') {
      expect([app.status, password.status, twoFactor.status]).toEqual([200, 200, 403]);
      expect(app.headers['x-oauth-scopes']).toContain('pullrequest');
      expect(twoFactor.headers).not.toHaveProperty('x-oauth-scopes');
    } else {
      const wrong = await user(basic('import-service', 'wrong'));
      for (const answer of [app, password, twoFactor]) expect(answer).toEqual(wrong);
    }
  });

  it('names the scopes that are missing, in the words of the credential', async () => {
    const token = await createClient(simulator, 'api_token.no_user').get('/user');
    expect(token.status).toBe(403);
    expect(token.json.error.detail.required).toEqual(['read:user:bitbucket']);
    expect(token.headers['x-oauth-scopes']).toContain('read:workspace:bitbucket');
    const access = await createClient(simulator, 'access_token.repository').get(
      '/workspaces/acme-rockets/projects',
    );
    expect(access.json.error).toEqual({
      message: 'Your credentials lack one or more required privilege scopes.',
      detail: { granted: ['repository', 'pullrequest', 'issue', 'webhook'], required: ['project'] },
    });
  });

  it('refuses access tokens the user and their permissions, with scope headers', async () => {
    const client = createClient(simulator, 'access_token.workspace');
    for (const path of ['/user', '/user/workspaces', '/workspaces/acme-rockets/permissions']) {
      const answer = await client.get(path);
      expect([path, answer.status]).toEqual([path, 403]);
      expect(answer.headers['x-oauth-scopes']).toContain('pullrequest');
    }
    expect((await client.get('/repositories/acme-rockets')).json.size).toBe(5);
    expect((await client.get('/repositories/globex')).status).toBe(404);
  });

  it('keeps an access token inside its project or repository', async () => {
    const project = createClient(simulator, 'access_token.project');
    const repository = createClient(simulator, 'access_token.repository');
    const slugs = async (client: typeof project) =>
      (await client.walk('/repositories/acme-rockets')).map((entry) => entry.slug);
    expect(await slugs(project)).toEqual(['flight-control', 'telemetry', 'launch-scripts']);
    expect(await slugs(repository)).toEqual(['flight-control', 'launch-scripts']);
  });

  it('answers missing and invisible repositories the same', async () => {
    const client = createClient(simulator, 'api_token.service');
    const hidden = await client.get('/repositories/acme-rockets/secret-sauce');
    expect(hidden.status).toBe(404);
    expect(await client.get('/repositories/acme-rockets/no-such-thing')).toEqual(hidden);
    const owner = await createClient(simulator, 'api_token.admin').get(
      '/repositories/acme-rockets/secret-sauce',
    );
    expect(owner.status).toBe(200);
  });

  it('shows anonymous callers public repositories only', async () => {
    const client = createClient(simulator, undefined);
    const list = await client.walk('/repositories/acme-rockets');
    expect(list.map((entry) => entry.slug)).toEqual(['launch-scripts']);
    const answer = await client.get('/repositories/acme-rockets/flight-control/pullrequests');
    expect(answer.status).toBe(401);
    expect((await client.get('/user')).headers['x-credential-type']).toBe('unauthenticated_identity');
  });

  it('lets owners and repository admins, and nobody else, manage webhooks', async () => {
    const workspace = '/workspaces/acme-rockets/hooks';
    const repository = '/repositories/acme-rockets/telemetry/hooks';
    const status = async (name: string, path: string) =>
      (await createClient(simulator, name).get(path)).status;
    expect(await status('api_token.admin', workspace)).toBe(200);
    expect(await status('access_token.workspace', workspace)).toBe(200);
    expect(await status('api_token.member', workspace)).toBe(403);
    expect(await status('api_token.repository_admin', workspace)).toBe(403);
    expect(await status('api_token.repository_admin', repository)).toBe(200);
    expect(await status('api_token.member', repository)).toBe(403);
    const unscoped = await createClient(simulator, 'access_token.workspace_read').get(workspace);
    expect(unscoped.json.error.detail.required).toEqual(['webhook']);
  });

  it('tells the permission in each workspace', async () => {
    const admin = createClient(simulator, 'api_token.admin');
    const access = await admin.walk('/user/workspaces?administrator=true');
    expect(access.map((entry) => entry.workspace.slug)).toEqual(['acme-rockets', 'globex']);
    expect(access[0].workspace).not.toHaveProperty('name');
    const member = createClient(simulator, 'api_token.member');
    expect((await member.get('/user/workspaces/globex/permission')).json.permission).toBe('member');
    expect(await createClient(simulator, 'api_token.outsider').walk('/user/workspaces')).toEqual([]);
    const own = await createClient(simulator, 'api_token.repository_admin').walk(
      '/user/workspaces/acme-rockets/permissions/repositories?q=permission="admin"',
    );
    expect(own.map((entry) => entry.repository.full_name)).toEqual(['acme-rockets/telemetry']);
  });
});
