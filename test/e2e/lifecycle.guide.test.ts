import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBrowser, type Page } from '../../scripts/start/demo/browser.ts';
import {
  activeIntegration,
  discovered,
  expectStatus,
  importEnded,
  listAll,
  newIntegration,
  startImport,
  submitCredential,
} from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { otherOrganization } from '../support/otherOrganization.ts';
import { createStack, RETURN_URL, type Stack } from '../support/stack.ts';
import { expectReplays } from '../support/stackRuns.ts';
import { waitFor } from '../support/waitFor.ts';

const SERVICES = ['repositories', 'pull_requests', 'tickets'];

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', size: 'tiny' } });
});
afterAll(() => stack?.close());

const stateOf = async (on: Stack, id: string): Promise<string> =>
  (await on.call('GET', `/v1/integrations/${id}`)).body.state;

const tokenCalls = (): number =>
  stack.simulator.journal.since(0).filter(({ path }) => path.startsWith('/site/oauth2/access_token')).length;

/** Names of the repositories that an import brought in. */
async function importAll(on: Stack, integrationId: string): Promise<string[]> {
  const importId = await startImport(on, integrationId);
  const ended = await importEnded(on, importId);
  expect(ended.state).toBe('completed');
  const repositories = await listAll(on, `/v1/imports/${importId}/repositories`);
  return repositories.map((repository) => String(repository.full_name));
}

describe('connected with a password, as the guide has it', () => {
  test('an account without two-step verification is taken', async () => {
    const id = await newIntegration(stack);
    const check = await submitCredential(stack, id, 'password.service');
    expect(check.verdict).toMatch(/^ok/);
    expect(check.message).toMatchObject({ code: 'connection_ok' });
    expect(check.report.services).toEqual(
      SERVICES.map((service) => expect.objectContaining({ service, status: 'ready' })),
    );
  });

  test('with two-step verification the password is refused with the remedy; an app password then imports all three services', async () => {
    const id = await newIntegration(stack);
    const refused = await submitCredential(stack, id, 'password.member');
    expect(refused.verdict).toBe('failed');
    const finding = refused.report.findings.find(
      ({ severity }: { severity: string }) => severity === 'error',
    );
    expect(finding.code).toBe('two_factor_required');
    expect(finding.remedy).toMatch(/app password|API token/);
    expect(await stateOf(stack, id)).toBe('awaiting_credential');

    const taken = await submitCredential(stack, id, 'app_password.member');
    expect(taken.verdict).toMatch(/^ok/);
    const created = expectStatus(
      await stack.call('POST', `/v1/integrations/${id}/create`, { name: 'Guide' }),
      200,
    );
    expect(created.body.services).toEqual(SERVICES);
    await discovered(stack, id);
    const names = await importAll(stack, id);
    expect(names).toContain('acme-rockets/flight-control');
    expect(names).not.toContain('acme-rockets/secret-sauce');
    await expectExact(stack);

    const [repository] = (await listAll(stack, `/v1/integrations/${id}/repositories`)).filter(
      ({ full_name: name }) => name === 'acme-rockets/flight-control',
    );
    for (const list of ['commits', 'pull-requests', 'tickets']) {
      const { body } = await stack.call('GET', `/v1/repositories/${repository.id}/${list}`);
      expect(body.data.length, list).toBeGreaterThan(0);
    }
  });
});

describe('connected in the browser with OAuth', () => {
  /** Starts a flow and goes through log-in up to the consent page. */
  async function consentPage(on: Stack, id: string, body: object = { return_url: RETURN_URL }) {
    const { authorize_url: url } = expectStatus(
      await on.call('POST', `/v1/integrations/${id}/oauth`, body),
      200,
    ).body;
    const browser = createBrowser({ stopAt: (at) => at.href.startsWith(RETURN_URL) });
    const { login, secret } = stack.simulator.credential('password.admin');
    const signIn = await browser.open(url);
    const page = await browser.submit(signIn, { username: login ?? '', password: secret });
    return { browser, page, approve: () => browser.submit(page, {}, /grant/i) };
  }

  const completionOf = (page: Page): string => page.url.searchParams.get('completion') ?? '';
  const complete = (on: Stack, id: string, completion: string) =>
    on.call('POST', `/v1/integrations/${id}/oauth/complete`, { completion });

  test('approved and completed, 20 times at once: one exchange; what only the owner sees is imported', async () => {
    const id = await newIntegration(stack);
    const { approve } = await consentPage(stack, id);
    const completion = completionOf(await approve());
    expect(completion).not.toBe('');
    expect(tokenCalls()).toBe(0);
    const answers = await Promise.all(Array.from({ length: 20 }, () => complete(stack, id, completion)));
    const taken = answers.filter(({ status }) => status === 200 || status === 202);
    expect(taken).toHaveLength(1);
    for (const { status, body } of answers.filter((answer) => !taken.includes(answer))) {
      expect([status, body.code]).toEqual([422, 'oauth_state_invalid']);
      expect(body.errors[0].fix).not.toBe('');
    }
    await waitFor({
      what: 'connected',
      read: () => stateOf(stack, id),
      until: (state) => state === 'connected',
    });
    expect(tokenCalls()).toBe(1);

    expectStatus(await stack.call('POST', `/v1/integrations/${id}/create`, { name: 'OAuth' }), 200);
    await discovered(stack, id);
    const [secret] = (await listAll(stack, `/v1/integrations/${id}/repositories`)).filter(
      ({ full_name: name }) => name === 'acme-rockets/secret-sauce',
    );
    const importId = await startImport(stack, id, { repositories: [secret.id] });
    expect((await importEnded(stack, importId)).state).toBe('completed');
    await expectExact(stack);
    expect(tokenCalls()).toBe(1);

    // Once more, long after: still no second exchange.
    expect((await complete(stack, id, completion)).status).toBe(422);
    expect(tokenCalls()).toBe(1);
  });

  test('denied: back with an error that says so, nothing is exchanged, the next try is free', async () => {
    const before = tokenCalls();
    const id = await newIntegration(stack);
    const { browser, page } = await consentPage(stack, id);
    const back = await browser.submit(page, {}, /deny|cancel/i);
    expect(back.url.searchParams.get('error')).toBe('oauth_denied');
    expect(back.url.searchParams.has('completion')).toBe(false);
    expect(await stateOf(stack, id)).toBe('awaiting_credential');
    expect(tokenCalls()).toBe(before);

    const { approve } = await consentPage(stack, id, {});
    const ask = await approve();
    expect(ask.title).toMatch(/^Connect Bitbucket to org /);
    expect(tokenCalls()).toBe(before);
  });

  test('approved and never completed: nothing is exchanged; completed by or for another: refused', async () => {
    const before = tokenCalls();
    const id = await newIntegration(stack);
    const { approve } = await consentPage(stack, id);
    const completion = completionOf(await approve());
    expect(await stateOf(stack, id)).toBe('awaiting_credential');

    const other = await otherOrganization(stack);
    expect((await complete(other, id, completion)).status).toBe(404);
    const theirs = await newIntegration(other);
    const stolen = await complete(other, theirs, completion);
    expect([stolen.status, stolen.body.code]).toEqual([422, 'oauth_state_invalid']);
    const sibling = await complete(stack, await newIntegration(stack), completion);
    expect([sibling.status, sibling.body.code]).toEqual([422, 'oauth_state_invalid']);
    expect(await stateOf(stack, id)).toBe('awaiting_credential');
    expect(tokenCalls()).toBe(before);
  });
});

describe('connected with an access token', () => {
  test.each([
    ['access_token.workspace', (name: string) => name.startsWith('acme-rockets/'), 5],
    [
      'access_token.project',
      (name: string) => ['acme-rockets/flight-control', 'acme-rockets/telemetry'].includes(name),
      2,
    ],
    ['access_token.repository', (name: string) => name === 'acme-rockets/flight-control', 1],
  ])('%s imports what it sees', async (credential, belongs, count) => {
    const tenant = await otherOrganization(stack);
    const id = await activeIntegration(tenant, { credential });
    const names = await importAll(tenant, id);
    expect(names.filter((name) => !belongs(name))).toEqual([]);
    expect(names).toHaveLength(count);
    await expectExact(tenant);
  });
});

test('every run replays', async () => {
  expect(await expectReplays(stack)).toBeGreaterThan(10);
});
