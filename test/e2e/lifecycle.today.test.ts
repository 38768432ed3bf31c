import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  activeIntegration,
  expectStatus,
  importEnded,
  listAll,
  newIntegration,
  startImport,
  submitCredential,
} from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { expectReplays } from '../support/stackRuns.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await createStack({
    simulator: { era: 'today', size: 'tiny' },
    // as the setting is by default for bitbucket.org
    environment: { BITBUCKET_PASSWORD_LOGIN: 'false' },
  });
});
afterAll(() => stack?.close());

test.each(['password.service', 'password.member', 'app_password.service', 'app_password.member'])(
  'the step of the guide with %s ends with the remedy of today',
  async (credential) => {
    const id = await newIntegration(stack);
    const check = await submitCredential(stack, id, credential);
    expect(check.verdict).toBe('failed');
    expect(check.message).toBeNull();
    const [finding] = check.report.findings;
    expect(finding).toMatchObject({ code: 'app_password_removed', severity: 'error' });
    expect(finding.remedy).toMatch(/OAuth.*API token/);
    const { body } = await stack.call('GET', `/v1/integrations/${id}`);
    expect(body.state).toBe('awaiting_credential');
    const created = await stack.call('POST', `/v1/integrations/${id}/create`, { name: 'Too early' });
    expect(created.status).toBe(409);
  },
);

test('an API token: repositories and pull requests import; tickets are said to be gone, once', async () => {
  const id = await newIntegration(stack);
  const check = await submitCredential(stack, id, 'api_token.service');
  expect(check.verdict).toMatch(/^ok/);
  expect(
    check.report.services.map(({ service, status }: Record<string, string>) => [service, status]),
  ).toEqual([
    ['repositories', 'ready'],
    ['pull_requests', 'ready'],
    ['tickets', 'unavailable'],
  ]);
  const gone = check.report.findings.filter(({ code }: { code: string }) => code === 'tickets_removed');
  expect(gone).toHaveLength(1);
  expect(gone[0].severity).not.toBe('error');
  expect(gone[0].remedy.length).toBeGreaterThan(10);

  const asked = await stack.call('POST', `/v1/integrations/${id}/create`, {
    name: 'With tickets',
    services: ['repositories', 'pull_requests', 'tickets'],
  });
  expect([asked.status, asked.body.code]).toEqual([422, 'service_not_allowed']);
  const created = expectStatus(
    await stack.call('POST', `/v1/integrations/${id}/create`, { name: 'Today' }),
    200,
  );
  expect(created.body.services).toEqual(['repositories', 'pull_requests']);
});

test('everything imports exactly, and not one request asks for tickets', async () => {
  const id = await activeIntegration(stack, { credential: 'api_token.admin', name: 'Everything' });
  const before = stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
  const importId = await startImport(stack, id);
  const ended = await importEnded(stack, importId);
  expect(ended.state).toBe('completed');
  await expectExact(stack);
  const asked = stack.simulator.journal.since(before).filter(({ path }) => path.includes('/issues'));
  expect(asked.map(({ path }) => path)).toEqual([]);
  expect(ended.streams.map(({ stream }: { stream: string }) => stream)).not.toContain('tickets');

  const repositories = await listAll(stack, `/v1/integrations/${id}/repositories?imported=true`);
  expect(repositories.length).toBeGreaterThan(5);
  for (const { health, full_name: name } of repositories) expect(health, name).toBe('healthy');
});

test('every run replays', async () => {
  expect(await expectReplays(stack)).toBeGreaterThan(5);
});
