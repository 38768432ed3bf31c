import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConnectionReport } from '../../../activities/bitbucket/connectionCheck/report.ts';
import type { CredentialKind } from '../../../workflows/words.ts';
import { createSimulator, type Simulator } from '../../support/simulator.ts';
import {
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  inActivity,
  type BitbucketEngine,
  type CredentialRows,
} from '../../support/bitbucketEngine.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { oauthTokens } from '../../support/oauthBrowser.ts';
import { presentedCredential, type PresentedCredential } from '../../support/presentedCredential.ts';

const keys = createTestKeys();
let testDatabase: TestDatabase;
let rows: CredentialRows;
const hosts: Record<'guide' | 'today', { simulator: Simulator; engine: BitbucketEngine }> = {} as never;

beforeAll(async () => {
  testDatabase = await createTestDatabase();
  rows = createCredentialRows(testDatabase, keys);
  for (const era of ['guide', 'today'] as const) {
    const simulator = await createSimulator({ era, limit: 0 });
    const engine = createBitbucketEngine({
      databaseUrl: testDatabase.workerUrl,
      keys,
      apiUrl: simulator.apiUrl,
      webUrl: simulator.url,
      consumer: simulator.consumer,
      passwordLogin: era === 'guide',
    });
    hosts[era] = { simulator, engine };
  }
});

afterAll(async () => {
  await Promise.all(Object.values(hosts).map(({ engine }) => engine.end()));
  await rows.end();
  await testDatabase.drop();
  await Promise.all(Object.values(hosts).map(({ simulator }) => simulator.close()));
});

async function run(
  engine: BitbucketEngine,
  { kind, secret, ...more }: PresentedCredential,
): Promise<ConnectionReport> {
  const integration = await rows.integration(kind, secret, more);
  await inActivity(() => engine.connection.checkConnection(integration));
  const [check] = await rows.sql`select * from connection_checks where id = ${integration.checkId}`;
  expect(check).toMatchObject({ state: 'done', verdict: check?.['report'].verdict });
  expect(JSON.stringify(check)).not.toContain(Object.values(secret).at(-1));
  return check?.['report'] as ConnectionReport;
}

const check = (era: 'guide' | 'today', name: string | PresentedCredential) =>
  run(hosts[era].engine, typeof name === 'string' ? presentedCredential(hosts[era].simulator, name) : name);

const codes = (report: ConnectionReport, ...severities: string[]) =>
  report.findings.filter(({ severity }) => severities.includes(severity)).map(({ code }) => code);
const statuses = (report: ConnectionReport) =>
  Object.fromEntries(report.services.map(({ service, status }) => [service, status]));

describe('a credential that does all we want', () => {
  it.each([
    ['guide', 'ready'],
    ['today', 'unavailable'],
  ] as const)('as an API token, at the host of %s', async (era, tickets) => {
    const report = await check(era, 'api_token.admin');
    expect(codes(report, 'error', 'warning')).toEqual([]);
    expect(report).toMatchObject({
      verdict: 'ok',
      account: { kind: 'user', name: hosts[era].simulator.credential('api_token.admin').owner_name },
      credential: { kind: 'api_token', type: 'api_token' },
      visible: { workspaces: 2, projects: 3, complete: true },
    });
    expect(report.findings[0]?.code).toBe('connection_ok');
    expect(statuses(report)).toEqual({ repositories: 'ready', pull_requests: 'ready', tickets });
    expect(codes(report, 'info').includes('tickets_removed')).toBe(era === 'today');
    expect(report.webhooks.map(({ status }) => status)).toEqual(['allowed', 'allowed']);
    expect(report.requests).toBeLessThanOrEqual(8);
  });

  it('as OAuth', async () => {
    const { simulator } = hosts.guide;
    const secret = await oauthTokens(simulator, 'service');
    const report = await check('guide', { kind: 'oauth', secret });
    expect(report).toMatchObject({ verdict: 'ok', scopes: { vocabulary: 'oauth', excess: [] } });
    expect(report.account?.uuid).toBe(simulator.credential('api_token.service').owner);
    expect(report.allowed_services).toEqual(['repositories', 'pull_requests', 'tickets']);
  });

  it('of another account than the integration was connected as: the report says so as soon as it is there', async () => {
    const { simulator, engine } = hosts.guide;
    const { kind, secret, ...more } = presentedCredential(simulator, 'api_token.admin');
    const owner = simulator.credential('api_token.admin').owner;
    const connectedAs = async (uuid: string) => {
      const integration = await rows.integration(kind, secret, more);
      // As it is stored: the name has a NUL in it.
      const before = { uuid, name: 'Zo\u001a0000ë', kind: 'user' };
      await rows.sql`update integrations set connected_account = ${rows.sql.json(before)}
        where id = ${integration.integrationId}`;
      await inActivity(() => engine.connection.checkConnection(integration));
      const [row] = await rows.sql`select report from connection_checks where id = ${integration.checkId}`;
      return row?.['report'].previous_account;
    };
    expect(await connectedAs(owner)).toBeUndefined();
    expect(await connectedAs('{another}')).toEqual({
      uuid: '{another}',
      name: 'Zo\u001a0000ë',
      kind: 'user',
    });
  });

  it.each([
    ['access_token.workspace', 'workspace_access_token', 'allowed'],
    ['access_token.project', 'project_access_token', 'repositories_only'],
    ['access_token.repository', 'repository_access_token', 'repositories_only'],
  ])('as %s, which cannot say who it is', async (name, kind, webhooks) => {
    const report = await check('guide', name);
    expect(codes(report, 'error', 'warning')).toEqual([]);
    expect(report).toMatchObject({ verdict: 'ok', account: { uuid: null, kind } });
    expect(report.visible?.repositories).toBeGreaterThanOrEqual(1);
    expect(report.webhooks.map(({ status }) => status)).toEqual([webhooks]);
    expect(report.allowed_services).toEqual(['repositories', 'pull_requests', 'tickets']);
  });

  it('as a password or app password, where the host still takes them', async () => {
    const password = await check('guide', 'password.service');
    expect(codes(password, 'error')).toEqual([]);
    expect(password.allowed_services).toEqual(['repositories', 'pull_requests', 'tickets']);
    const appPassword = await check('guide', 'app_password.member');
    expect(codes(appPassword, 'error', 'warning')).toEqual([]);
    expect(appPassword.verdict).toBe('ok');
  });
});

describe('a credential that is refused', () => {
  const wrong = (kind: CredentialKind): PresentedCredential => ({
    kind,
    secret: {
      oauth: { access_token: 'wrong', refresh_token: 'wrong' },
      api_token: { email: 'somebody@example.org', token: 'ATATTwrong' },
      access_token: { token: 'ATCTTwrong' },
      basic: { username: 'somebody', password: 'not-the-password' },
    }[kind],
    fields: { workspace: 'acme-rockets' },
  });

  it.each([
    ['guide', 'api_token', 'invalid_credentials'],
    ['guide', 'access_token', 'invalid_credentials'],
    ['guide', 'basic', 'invalid_credentials'],
    ['today', 'api_token', 'invalid_credentials'],
    ['today', 'access_token', 'invalid_credentials'],
    ['today', 'basic', 'app_password_removed'],
  ] as const)('at the host of %s, as %s: %s', async (era, kind, code) => {
    const report = await check(era, wrong(kind));
    expect(report).toMatchObject({ verdict: 'failed', allowed_services: [], account: null });
    expect(codes(report, 'error', 'warning')).toEqual([code]);
    expect(report.requests).toBe(1);
  });

  it.each(['api_token.unscoped', 'api_token.expired', 'api_token.revoked', 'access_token.revoked'])(
    'looks the same for %s, so the remedy names every cause',
    async (name) => {
      const report = await check('today', name);
      expect(codes(report, 'error')).toEqual(['invalid_credentials']);
      expect(report.findings[0]?.remedy).toMatch(/mistyped, expired or revoked/);
    },
  );

  it('says so when a user name stands where the e-mail belongs', async () => {
    const { secret } = presentedCredential(hosts.today.simulator, 'api_token.service');
    const report = await check('today', { kind: 'api_token', secret: { ...secret, email: 'service' } });
    expect(codes(report, 'error')).toEqual(['username_instead_of_email']);
  });

  it('says so when the account has two-step verification, and an app password then works', async () => {
    const report = await check('guide', 'password.member');
    expect(report.verdict).toBe('failed');
    expect(codes(report, 'error')).toEqual(['two_factor_required']);
    expect((await check('guide', 'app_password.member')).verdict).not.toBe('failed');
  });

  it('is told today that passwords and app passwords are gone', async () => {
    expect(codes(await check('today', 'password.service'), 'error')).toEqual(['app_password_removed']);
    expect(codes(await check('today', 'app_password.service'), 'error')).toEqual(['app_password_removed']);
  });

  it('past its given end is not even sent', async () => {
    const token = presentedCredential(hosts.today.simulator, 'api_token.service');
    const report = await check('today', { ...token, expiresOn: '2026-01-01T00:00:00Z' });
    expect(codes(report, 'error')).toEqual(['credential_expired']);
    expect(report.requests).toBe(0);
  });

  it('as OAuth whose refresh is refused twice has expired', async () => {
    const report = await check('guide', wrong('oauth'));
    expect(codes(report, 'error')).toEqual(['credential_expired']);
    expect(report.findings[0]?.remedy).toBe('Connect again.');
  });
});

describe('a credential that lacks something', () => {
  it.each([
    ['api_token.no_user', 'read:user:bitbucket'],
    ['api_token.no_workspace', 'read:workspace:bitbucket'],
  ])('%s fails: the account scope is missing', async (name, scope) => {
    const report = await check('today', name);
    expect(report.verdict).toBe('failed');
    const missing = report.findings.find(({ severity }) => severity === 'error');
    expect(missing).toMatchObject({ code: 'missing_scopes', details: { missing: [scope] } });
  });

  it('one service without its scope is a warning, and cannot be turned on', async () => {
    const report = await check('guide', 'api_token.no_pull_requests');
    expect(report.verdict).toBe('ok_with_warnings');
    expect(codes(report, 'warning')).toEqual(['missing_scopes']);
    expect(statuses(report)).toMatchObject({ pull_requests: 'missing_scopes', repositories: 'ready' });
    expect(report.allowed_services).toEqual(['repositories', 'tickets']);
  });

  it('no service ready fails', async () => {
    const report = await check('guide', 'api_token.no_repositories');
    expect(report).toMatchObject({ verdict: 'failed', allowed_services: [] });
    expect(codes(report, 'error')).toContain('missing_scopes');
  });

  it('webhooks: by scope, by role, or for repositories only', async () => {
    const [service, member, admin] = await Promise.all([
      check('today', 'api_token.service'),
      check('today', 'api_token.member'),
      check('today', 'api_token.repository_admin'),
    ]);
    expect(service.webhooks.map(({ status }) => status)).toContain('missing_scopes');
    expect(service.verdict).toBe('ok');
    expect(codes(member, 'info')).toContain('not_workspace_admin');
    expect(codes(admin, 'info')).toContain('repositories_only');
  });

  it('sees nothing', async () => {
    const report = await check('today', 'api_token.outsider');
    expect(report).toMatchObject({ verdict: 'ok_with_warnings', visible: { workspaces: 0 } });
    expect(codes(report, 'warning')).toEqual(['nothing_visible']);
  });

  it('an access token whose workspace is written wrong sees nothing', async () => {
    const token = presentedCredential(hosts.today.simulator, 'access_token.workspace');
    const report = await check('today', { ...token, fields: { workspace: 'no-such-place' } });
    expect(codes(report, 'warning')).toEqual(['nothing_visible']);
  });
});

describe('a credential with a remark', () => {
  it('may do more than needed', async () => {
    const report = await check('today', 'api_token.excess');
    expect(report.verdict).toBe('ok_with_warnings');
    expect(codes(report, 'warning')).toEqual(['excess_scopes']);
    expect(report.scopes.excess).toEqual(['write:repository:bitbucket', 'admin:project:bitbucket']);
  });

  it('ends soon', async () => {
    const token = presentedCredential(hosts.today.simulator, 'api_token.service');
    const expiresOn = new Date(Date.now() + 3 * 86_400_000).toISOString();
    const report = await check('today', { ...token, expiresOn });
    expect(codes(report, 'warning')).toEqual(['credential_expiring']);
  });
});

describe('a host that does not answer as it should', () => {
  const token = () => presentedCredential(hosts.today.simulator, 'api_token.service');

  /** A deadline only for what is to run into it: on a busy machine other stages take their time to be known. */
  async function withHost(apiUrl: string, deadlineMs?: number): Promise<ConnectionReport> {
    const engine = createBitbucketEngine({
      databaseUrl: testDatabase.workerUrl,
      keys,
      apiUrl,
      webUrl: apiUrl,
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
    });
    try {
      return await run(engine, token());
    } finally {
      await engine.end();
    }
  }

  it.each([
    ['dns', 'https://bitbucket.invalid/2.0'],
    ['connect', 'http://127.0.0.1:1/2.0'],
  ])('names the stage: %s', async (stage, apiUrl) => {
    // port 1 is blocked by fetch itself; a closed port of our own is refused by the system
    const url = stage === 'connect' ? `http://127.0.0.1:${String(await closedPort())}/2.0` : apiUrl;
    const report = await withHost(url);
    expect(report.verdict).toBe('failed');
    expect(report.findings).toMatchObject([{ code: 'host_unreachable', details: { stage } }]);
  });

  it('names the stage: tls', async () => {
    const report = await withHost(hosts.today.simulator.apiUrl.replace('http:', 'https:'));
    expect(report.findings).toMatchObject([{ code: 'host_unreachable', details: { stage: 'tls' } }]);
  });

  it('names the stage: timeout', async () => {
    const { simulator } = hosts.today;
    simulator.faults.set({ rules: [{ fault: { kind: 'delay', ms: 5_000 } }] });
    try {
      const report = await withHost(simulator.apiUrl, 500);
      expect(report.findings).toMatchObject([{ code: 'host_unreachable', details: { stage: 'timeout' } }]);
    } finally {
      simulator.faults.clear();
    }
  });

  it.each([
    ['rate_limited', { kind: 'rate_limit', retry_after: 'seconds', seconds: 600 }],
    ['upstream_error', { kind: 'status', status: 503 }],
    ['unreadable_answer', { kind: 'html' }],
    ['unreadable_answer', { kind: 'wrong_shape' }],
  ])('becomes the finding %s: %j', async (code, fault) => {
    const { simulator } = hosts.guide;
    simulator.faults.set({ rules: [{ match: { path: '^/2.0/user$' }, fault }] });
    try {
      const report = await check('guide', 'api_token.outsider');
      expect(report.verdict).toBe('failed');
      expect(codes(report, 'error')).toEqual([code]);
    } finally {
      simulator.faults.clear();
      await rows.sql`delete from request_limits`;
    }
  });

  it('lets a second credential of the account wait too: nothing is sent before the time that Bitbucket named', async () => {
    const { simulator } = hosts.guide;
    const { account } = await check('guide', 'api_token.admin');
    await rows.sql`insert into request_limits (account_key, limit_group, default_limit, window_ms, blocked_until)
      select ${account?.uuid ?? ''}, name, 1000, 3600000, now() + interval '10 minutes'
      from unnest(array['repository_data', 'git_operations']) as name
      on conflict (account_key, limit_group) do update set blocked_until = excluded.blocked_until`;
    const before = simulator.journal.since(0).at(-1)?.sequence ?? 0;
    try {
      const report = await check('guide', 'api_token.admin');
      expect(codes(report, 'error')).toEqual(['rate_limited']);
      const asked = simulator.journal.since(before).map(({ path }) => path);
      expect(asked.filter((path) => path.includes('/repositories'))).toEqual([]);
    } finally {
      await rows.sql`delete from request_limits`;
    }
  });

  it('once only is asked again', async () => {
    const { simulator } = hosts.guide;
    simulator.faults.set({ rules: [{ nth: 1, fault: { kind: 'reset' } }] });
    try {
      expect((await check('guide', 'api_token.admin')).verdict).toBe('ok');
    } finally {
      simulator.faults.clear();
    }
  });
});

async function closedPort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return typeof address === 'object' && address !== null ? address.port : 0;
}
