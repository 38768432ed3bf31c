import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CredentialKind } from '../../workflows/words.ts';
import {
  activeIntegration,
  consentTo,
  importEnded,
  listAll,
  startImport,
  submitCredential,
} from '../support/connect.ts';
import { expectExact } from '../support/expectExact.ts';
import { createStack, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';

/** A created integration whose credential ends at Bitbucket gets another, mostly of another kind, and goes on. */
let stack: Stack;
let id: string;
let repositories: string[];

/** Private: git asks for what is public without a credential. */
const REPOSITORIES = ['acme-rockets/secret-sauce', 'acme-rockets/telemetry'];
beforeAll(async () => {
  stack = await createStack({ simulator: { era: 'guide', size: 'tiny' } });
  id = await activeIntegration(stack, { credential: 'api_token.admin' });
  const all = await listAll(stack, `/v1/integrations/${id}/repositories`);
  repositories = all
    .filter(({ full_name: name }) => REPOSITORIES.includes(name))
    .map((repository) => String(repository.id));
  await importEnded(stack, await startImport(stack, id, { repositories }));
});
afterAll(() => stack?.close());

const submit = (name: string) => submitCredential(stack, id, name);

const consent = () => consentTo(stack, id);

const revoke = (name: string) => stack.simulator.mutate({ kind: 'credential.revoke', name });
const withdraw = () => stack.simulator.mutate({ kind: 'oauth.revoke', user: 'admin' });

interface Replacement {
  end: () => Promise<unknown>;
  connect: () => Promise<{ verdict: string }>;
  kind: CredentialKind;
  /** the new one's name at the simulator */
  signs: string;
}

test.each<[string, Replacement]>([
  [
    'an access token in place of an API token',
    {
      end: () => revoke('api_token.admin'),
      connect: () => submit('access_token.workspace'),
      kind: 'access_token',
      signs: 'access_token.workspace',
    },
  ],
  [
    'a user name with an app password in place of an access token',
    {
      end: () => revoke('access_token.workspace'),
      connect: () => submit('app_password.admin'),
      kind: 'basic',
      signs: 'app_password.admin',
    },
  ],
  [
    'OAuth in place of an app password',
    { end: () => revoke('app_password.admin'), connect: consent, kind: 'oauth', signs: 'oauth.1' },
  ],
  [
    'OAuth consented to once more, after its grant was withdrawn',
    { end: withdraw, connect: consent, kind: 'oauth', signs: 'oauth.2' },
  ],
])(
  '%s brings the import to its end that the former one could not go on with',
  async (_, { end, connect, kind, signs }) => {
    await stack.simulator.mutate({
      kind: 'git',
      repository: 'acme-rockets/telemetry',
      change: {
        kind: 'push',
        branch: `before/${signs}`,
        commits: [{ message: signs, author: { name: 'Ada', email: 'ada@example.com' } }],
      },
    });
    await end();
    const importId = await startImport(stack, id, { repositories, mode: 'full' });
    await waitFor({
      what: 'both repositories are refused',
      read: () => listAll(stack, `/v1/imports/${importId}/repositories`),
      until: (rows) => rows.length === 2 && rows.every(({ state }) => state === 'needs_credential'),
      timeoutMs: 60_000,
    });
    const before = stack.simulator.journal.since(0).at(-1)?.sequence ?? 0;
    expect((await connect()).verdict).toMatch(/^ok/);
    expect((await importEnded(stack, importId, 60_000)).state).toBe('completed');
    const { body } = await stack.call('GET', `/v1/integrations/${id}`);
    expect(body).toMatchObject({ state: 'active', reason: null, credential: { kind } });
    const answered = stack.simulator.journal
      .since(before)
      .filter(({ status, group, path }) => status === 200 && (group === 'git' || path.startsWith('/2.0/')));
    expect(new Set(answered.map((entry) => entry.credential_name))).toEqual(new Set([signs]));
    expect((await expectExact(stack)).repositories).toBe(2);
  },
);
