import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { privateKeysFile } from '../../platform/secrets/keyFiles.ts';
import { KEY_FILES } from '../../scripts/keys/keyFolder.ts';
import { acmeWorld } from '../support/acmeWorld.ts';
import {
  activeIntegration,
  credentialBody,
  discovered,
  expectStatus,
  importEnded,
  listAll,
  newIntegration,
  startImport,
  submitCredential,
} from '../support/connect.ts';
import { oauthCode } from '../support/oauthBrowser.ts';
import { openSealed } from '../support/openSealed.ts';
import { findSecrets, formsOf, type Place } from '../support/secretSearch.ts';
import { createStack, RETURN_URL, type Stack } from '../support/stack.ts';
import { waitFor } from '../support/waitFor.ts';
import { wild, wildToken } from '../support/wildSecrets.ts';
import { clonePlaces, databasePlaces, historyPlaces, watchProcesses } from '../support/writtenPlaces.ts';

/** Of which the host makes its own secrets: new ones in every run. */
const SEED = randomBytes(4).readUInt32BE();

const WORLD = acmeWorld(
  ['alpha', 'doomed'].map((slug) => ({ slug, pullRequests: 12, commits: 30, tickets: 5 })),
);

let stack: Stack;
let admin: postgres.Sql;
const secrets = new Map<string, string>();
/** handed to the caller on purpose, so not searched for in answers */
const handedOut = new Map<string, string>();
const answers: string[] = [];

beforeAll(async () => {
  const made = await createStack({ simulator: { era: 'guide', world: WORLD, seed: SEED } });
  stack = {
    ...made,
    async call(...request) {
      const answer = await made.call(...request);
      const { status, headers, body } = answer;
      answers.push(
        `${status} ${JSON.stringify([...headers])} ${typeof body === 'string' ? body : JSON.stringify(body)}`,
      );
      return answer;
    },
  };
  admin = postgres(stack.database.superuserUrl, { max: 2, onnotice: () => {} });
  secrets.set('api key', stack.apiKey);
  secrets.set('consumer secret', stack.simulator.consumer.secret);
  const ring = await readFile(join(stack.folder, 'keys', KEY_FILES.privateKeys), 'utf8');
  for (const { private_key: key } of privateKeysFile.parse(JSON.parse(ring)).keys)
    secrets.set('sealing key', key);
  for (const file of [KEY_FILES.idempotencySecret, KEY_FILES.webhookKey])
    secrets.set(file, (await readFile(join(stack.folder, 'keys', file), 'utf8')).trim());
});
afterAll(async () => {
  await admin?.end();
  await stack?.close();
});

/** Everything that is sealed at the moment: all of it are secrets to search for. */
async function rememberSealed(): Promise<void> {
  for (const [name, value] of await openSealed(stack, admin))
    secrets.set(`sealed ${name} ${secrets.size}`, value);
}

/** An answer of the host that repeats a secret: some proxies and debug pages do. */
const echo = (status: number, credential: string, type = 'application/json') => ({
  kind: 'status',
  status,
  content_type: type,
  body: JSON.stringify({
    type: 'error',
    error: { message: `no: ${stack.simulator.credential(credential).secret}` },
  }),
});

/** The token endpoint's own no, with a secret in its words. */
const grantRefused = () => ({
  ...echo(400, 'password.admin'),
  body: JSON.stringify({
    error: 'invalid_grant',
    error_description: `no: ${stack.simulator.credential('password.admin').secret}`,
  }),
});

const checkEnded = (id: string) =>
  waitFor({
    what: 'the check is done',
    read: async () => (await stack.call('GET', `/v1/connection-checks/${id}`)).body,
    until: (check) => check.state === 'done',
    timeoutMs: 60_000,
  });

async function failedChecks(): Promise<number> {
  const wrong = [
    { kind: 'basic', username: 'import-service', password: wild('password') },
    { kind: 'api_token', email: 'service@example.com', token: wildToken('token') },
    { kind: 'api_token', email: 'no-email', token: wildToken('token-without-e-mail') },
    { kind: 'access_token', token: wildToken('access-token'), workspace: 'acme' },
  ];
  for (const body of wrong) secrets.set(`wrong ${secrets.size}`, body.token ?? body.password);
  const faults: Record<string, object> = {
    'api_token.service': echo(500, 'api_token.service'),
    'api_token.member': echo(403, 'api_token.member'),
    'api_token.repository_admin': echo(200, 'api_token.repository_admin', 'text/html'),
    'api_token.excess': { kind: 'reset' },
    'api_token.no_user': { kind: 'truncate' },
    'api_token.no_workspace': { kind: 'wrong_shape' },
    'access_token.project': echo(400, 'access_token.project'),
    'access_token.workspace': echo(404, 'access_token.workspace'),
    'access_token.repository': echo(410, 'access_token.repository'),
    'app_password.service': { kind: 'rate_limit', retry_after: 'seconds', seconds: 1 },
    'app_password.member': echo(401, 'app_password.member'),
  };
  stack.simulator.faults.set({
    rules: Object.entries(faults).map(([credential, fault]) => ({ match: { credential }, fault })),
  });
  const bodies = [...wrong, ...Object.keys(faults).map((name) => credentialBody(stack, name))];
  const verdicts = await Promise.all(
    bodies.map(async (body) => {
      const { body: begun } = expectStatus(await stack.call('POST', '/v1/connection-checks', body), 200, 202);
      return (await checkEnded(begun.id)).verdict;
    }),
  );
  stack.simulator.faults.clear();
  return verdicts.filter((verdict) => verdict === 'failed').length;
}

/** Requests that are wrong in other ways than their secret. */
async function refusedRequests(integrationId: string): Promise<void> {
  const secret = wild('in a bad request');
  secrets.set('in a bad request', secret);
  const path = `/v1/integrations/${integrationId}/credential`;
  const bodies = [
    { kind: 'api_token', email: 'a@example.com', token: secret, surprise: secret },
    { kind: secret, token: secret },
    { kind: 'basic', username: 'a', password: [secret] },
    { kind: 'access_token', token: secret.repeat(300), workspace: 'acme' },
    { kind: 'access_token', token: secret, workspace: 'acme' },
  ];
  for (const body of bodies) expectStatus(await stack.call('PUT', path, body), 400, 422);
  const broken = await fetch(`${stack.apiUrl}${path}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${stack.apiKey}`, 'content-type': 'application/json' },
    body: `{"kind":"api_token","token":${JSON.stringify(secret)},`,
  });
  answers.push(await broken.text());
  expect(broken.status).toBe(400);
  const strange = await fetch(`${stack.apiUrl}/v1/integrations`, {
    headers: { authorization: `Bearer ${secret.slice(0, 5)}${encodeURIComponent(secret)}` },
  });
  answers.push(await strange.text());
  expect(strange.status).toBe(401);

  const key = { 'idempotency-key': 'the-same' };
  const body = (password: string) => ({ kind: 'basic', username: 'import-service', password });
  expectStatus(await stack.call('POST', '/v1/connection-checks', body(secret), key), 200, 202);
  expectStatus(await stack.call('POST', '/v1/connection-checks', body(`${secret}!`), key), 422);

  // Postgres refuses the row, and repeats it in its message.
  await admin.unsafe(`create function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'refused: %', to_jsonb(new)::text; end $$;
    create trigger refuse before insert or update on credentials for each row execute function refuse()`);
  expectStatus(await stack.call('PUT', path, body(secret)), 500);
  await admin.unsafe('drop trigger refuse on credentials');
}

/** OAuth from log-in to the exchange, with everything single-use remembered. */
async function connectByOauth(integrationId: string) {
  const path = `/v1/integrations/${integrationId}/oauth`;
  const { body } = expectStatus(await stack.call('POST', path, { return_url: RETURN_URL }), 200);
  const query = Object.fromEntries(new URL(body.authorize_url).searchParams);
  handedOut.set(`state ${handedOut.size}`, query['state'] ?? '');
  await rememberSealed();
  const { code } = await oauthCode(stack.simulator, 'admin', query);
  secrets.set(`code ${secrets.size}`, code);
  const callback = `${stack.apiUrl}/v1/oauth/callback?${new URLSearchParams({ state: query['state'] ?? '', code }).toString()}`;
  const back = await fetch(callback, { redirect: 'manual' });
  const completion = new URL(back.headers.get('location') ?? '').searchParams.get('completion') ?? '';
  handedOut.set(`completion ${handedOut.size}`, completion);
  const check = expectStatus(await stack.call('POST', `${path}/complete`, { completion }), 200, 202);
  if (check.status === 200) return check.body;
  return waitFor({
    what: 'the check is done',
    read: async () => (await stack.call('GET', `/v1/integrations/${integrationId}/connection-check`)).body,
    until: ({ state }) => state === 'done',
    timeoutMs: 60_000,
  });
}

async function allPlaces(): Promise<Place[]> {
  return [
    { name: 'answers', content: Buffer.from(answers.join('\n'), 'utf8') },
    { name: 'logs', content: Buffer.from(stack.logs(), 'utf8') },
    ...(await historyPlaces(stack)),
    ...(await databasePlaces(stack)),
    ...(await clonePlaces(stack)),
  ];
}

test('the search finds a secret in each form it could be written in', () => {
  const secret = wild('planted');
  for (const { form, bytes } of formsOf(secret)) {
    const place = {
      name: 'x',
      content: Buffer.concat([Buffer.from('before '), bytes, Buffer.from(' after')]),
    };
    expect(findSecrets(new Map([['planted', secret]]), [place]), form).not.toEqual([]);
  }
  for (const before of ['', 'a', 'ab', 'abc']) {
    const place = {
      name: 'x',
      content: Buffer.from(Buffer.from(`${before}${secret}more`).toString('base64')),
    };
    expect(findSecrets(new Map([['planted', secret]]), [place]), `base64 after ${before}`).not.toEqual([]);
  }
});

describe.skipIf(process.platform !== 'linux')(
  'a whole lifecycle with failures (reads /proc: Linux only)',
  () => {
    test('no secret is written anywhere', async () => {
      expect(await failedChecks()).toBeGreaterThanOrEqual(10);

      const drafted = await newIntegration(stack);
      await refusedRequests(drafted);
      await submitCredential(stack, drafted, 'access_token.repository');
      await submitCredential(stack, drafted, 'app_password.admin');

      const oauth = await newIntegration(stack);
      stack.simulator.faults.set({
        rules: [{ match: { path: '/site/oauth2/access_token' }, count: 1, fault: grantRefused() }],
      });
      expect((await connectByOauth(oauth)).verdict).toBe('failed');
      expect((await connectByOauth(oauth)).verdict).toMatch(/^ok/);
      await rememberSealed();
      expectStatus(await stack.call('POST', `/v1/integrations/${oauth}/create`, { name: 'OAuth' }), 200);
      await discovered(stack, oauth);
      // The access token ends before its time: git meets that first.
      await stack.simulator.mutate({ kind: 'credential.expire', name: 'oauth.1' });

      const token = await activeIntegration(stack, { name: 'Token' });
      stack.simulator.faults.set({
        rules: [
          { match: { path: '/doomed.*info/refs' }, fault: echo(403, 'api_token.admin', 'text/plain') },
          { match: { path: 'info/refs' }, nth: 1, fault: echo(500, 'api_token.admin', 'text/plain') },
          { match: { path: 'info/refs|git-upload-pack' }, fault: { kind: 'delay', ms: 300 } },
          { match: { path: '/pullrequests' }, nth: 1, fault: echo(503, 'api_token.admin') },
          { match: { path: '/pullrequests' }, nth: 1, fault: echo(200, 'api_token.admin', 'text/html') },
          { match: { path: '/issues' }, nth: 1, fault: { kind: 'reset' } },
        ],
      });
      const watch = watchProcesses(() => stack.workers.map(({ pid }) => pid));
      for (const id of [oauth, token]) {
        const importId = await startImport(stack, id, { all: true });
        expect((await importEnded(stack, importId, 60_000)).state).toBe('completed_with_failures');
        await stack.call('GET', `/v1/imports/${importId}/repositories`);
        await stack.call('GET', `/v1/imports/${importId}/events`);
      }
      const seen = await watch.stop();
      const played = stack.simulator.faults.report().rules.map((rule) => rule.played);
      expect(
        played.every((times) => times > 0),
        JSON.stringify(played),
      ).toBe(true);
      stack.simulator.faults.clear();
      for (const { content } of seen) expect(content.toString()).toContain('git');

      for (const path of [
        '/v1/integrations',
        `/v1/integrations/${oauth}`,
        `/v1/integrations/${token}`,
        '/metrics',
      ])
        await stack.call('GET', path);
      for (const { id } of await listAll(stack, `/v1/integrations/${token}/repositories`))
        for (const list of ['commits', 'pull-requests', 'tickets'])
          await stack.call('GET', `/v1/repositories/${id}/${list}`);

      await rememberSealed();
      for (const { name, secret } of stack.simulator.credentials) secrets.set(name, secret);
      for (const name of ['oauth.1', 'oauth.2']) secrets.set(name, stack.simulator.credential(name).secret);

      const places = [...(await allPlaces()), ...seen];
      expect(places.length).toBeGreaterThan(60);
      expect(secrets.size).toBeGreaterThan(40);
      expect(findSecrets(secrets, places)).toEqual([]);
      const others = places.filter(({ name }) => name !== 'answers');
      expect(findSecrets(handedOut, others)).toEqual([]);
    });

    test('the search would have found it: one planted in each place', async () => {
      const secret = wild('canary');
      const planted = new Map([['canary', secret]]);
      const found = async (name: RegExp, places: readonly Place[]) =>
        expect([
          name,
          findSecrets(
            planted,
            places.filter((place) => name.test(place.name)),
          ).length > 0,
        ]).toEqual([name, true]);

      // Answers and a text column: a draft's name; a JSON column; bytes.
      const id = await activeIntegration(stack, { name: secret });
      await admin`update integrations set reason = ${admin.json({ deep: [{ in: secret }] })} where id = ${id}`;
      const [repository] = await listAll(stack, `/v1/integrations/${id}/repositories`);
      await admin`insert into quarantine (id, organization_id, repository_id, stream, record_key, reason, raw)
      select gen_random_uuid(), ${stack.organizationId}, ${repository.id}, 'tickets', 'x', 'x', ${Buffer.from(secret)}`;
      // Logs: Postgres refuses with the secret in its words.
      await admin.unsafe(`create function say() returns trigger language plpgsql as
      $$ begin raise exception '%', '${secret.replaceAll("'", "''")}'; end $$;
      create trigger say before insert on integrations for each row execute function say()`);
      expectStatus(await stack.call('POST', '/v1/integrations', {}), 500);
      await admin.unsafe('drop trigger say on integrations');

      const { temporalAddress: address, temporalNamespace: namespace } = inject('servers');
      const connection = await Connection.connect({ address });
      const client = new Client({ connection, namespace });
      const start = (what: string, options: object) =>
        client.workflow.start('connectionCheck', {
          workflowId: `planted-${what}-${randomBytes(6).toString('hex')}`,
          taskQueue: stack.taskQueue,
          startDelay: '1 hour',
          args: [],
          ...options,
        });
      const runs = await Promise.all([
        start('input', { args: [{ token: secret }] }),
        start('memo', { memo: { note: secret } }),
        start('summary', { staticSummary: secret }),
        start('attribute', { searchAttributes: { OrganizationId: [secret] } }),
      ]);
      // Temporal's list, by which histories are found, is a moment behind.
      const query = runs.map(({ workflowId }) => `WorkflowId = '${workflowId}'`).join(' or ');
      await waitFor({
        what: 'the planted runs are listed',
        read: async () => (await client.workflow.count(query)).count,
        until: (count) => count === runs.length,
        timeoutMs: 30_000,
      });

      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)', secret], {
        env: { CANARY: secret },
        stdio: 'ignore',
      });
      const watch = watchProcesses(() => [process.pid]);
      const written = await allPlaces();
      const seen = await watch.stop();
      child.kill();
      await Promise.all(runs.map((run) => run.terminate('planted')));
      await connection.close();

      await found(/^answers$/, written);
      await found(/^logs$/, written);
      await found(/^table integrations$/, written);
      await found(/^table quarantine$/, written);
      for (const what of ['input', 'memo', 'summary', 'attribute']) {
        await found(new RegExp(`^history of planted-${what}`), written);
        await found(new RegExp(`^payloads of planted-${what}`), written);
      }
      await found(/^arguments/, seen);
      await found(/^environment/, seen);
    });
  },
);
