import { v7 as uuid } from 'uuid';
import { expect, test } from 'vitest';
import { createBitbucketClient } from '../../activities/bitbucket/client.ts';
import { createRequestGate } from '../../activities/bitbucket/requestGate.ts';
import type { CredentialStore } from '../../activities/credentials/credentialStore.ts';
import { createEstimateQuestions } from '../../activities/estimate/askRepositories.ts';
import { createEstimateRows } from '../../activities/estimate/estimateRows.ts';
import type { Place } from '../../activities/poll/place.ts';
import { createPollQuestions } from '../../activities/poll/polls.ts';
import { createWebhookActivities } from '../../activities/webhooks/webhooks.ts';
import { LIMIT_GROUPS } from '../../platform/requestLimits.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import { POLL_STOPPED } from '../../workflows/findings.ts';
import { inActivity, WEBHOOK_KEY } from '../support/bitbucketEngine.ts';
import { useDatabaseBench } from '../support/databaseBench.ts';
import type { TestTenant } from '../support/integrationRows.ts';
import { waitFor } from '../support/waitFor.ts';

/**
 * A request may wait for the limit, up to 20 seconds. A pause of its integration ends that wait, and what waited is not sent.
 * Chunks of imports and discoveries are stopped by their runs; these have nobody who does, and look by themselves.
 */
const bench = useDatabaseBench({ role: 'worker', maxConnections: 8 });

/** An active integration of an account of its own; each request that is sent is in `sent`. */
async function situation() {
  const tenant = await bench.tenant('active');
  const { organizationId, integrationId } = tenant;
  const { credentialId } = await tenant.credential();
  const repositories = await tenant.repositories(1);
  await bench.sql`update integrations set credential_id = ${credentialId}, services = '{repositories,pull_requests}'
    where id = ${integrationId}`;
  await bench.sql`update repositories set integration_id = ${integrationId}, first_imported_at = now()
    where id = any(${repositories})`;
  const accountKey = `account of ${integrationId}`;
  /** The account may ask again after so many seconds. */
  const hold = (seconds: number) =>
    bench.sql`insert into request_limits (account_key, limit_group, blocked_until)
      select ${accountKey}, unnest(${LIMIT_GROUPS}::text[]), clock_timestamp() + make_interval(secs => ${seconds})`;
  const sent: string[] = [];
  const client = createBitbucketClient({
    // Nobody listens there.
    apiUrl: 'http://127.0.0.1:1/2.0',
    gate: createRequestGate({ database: bench.database }),
    signer: {
      sign: () =>
        Promise.resolve({
          authorization: new Secret('Basic none'),
          kind: 'api_token',
          accountKey,
          version: 1,
          wasRefused: false,
        }),
      renew: () => Promise.resolve(false),
      renewalDidNotHelp: () => {},
      refused: () => Promise.resolve(),
      accepted: () => Promise.resolve(),
    },
    onAnswer: ({ path }) => sent.push(path),
  });
  const credentials = {
    ofIntegration: () => Promise.resolve({ organizationId, credentialId }),
    facts: () => Promise.resolve({ kind: 'api_token', fields: {} }),
  } as unknown as CredentialStore;
  return { tenant, ids: { organizationId, integrationId }, accountKey, client, credentials, sent, hold };
}

const pauseOnceWaiting = async ({ accountKey, tenant }: { accountKey: string; tenant: TestTenant }) => {
  await waitFor({
    what: 'a request waits for the limit',
    read: () => bench.sql`select from request_waits where account_key = ${accountKey}`,
    until: (waits) => waits.length > 0,
  });
  await bench.sql`update integrations set state = 'paused' where id = ${tenant.integrationId}`;
};

test('of a poll round: the chunk ends where it stood, and the next one ends the round', async () => {
  const { ids, client, credentials, sent, hold, ...rest } = await situation();
  const questions = createPollQuestions({
    database: bench.database,
    bitbucket: client,
    credentials,
    tell: () => Promise.resolve(),
  });
  const place: Place = {
    step: 'missed',
    workspaceId: null,
    began: null,
    incomplete: false,
    given: false,
    withheld: false,
    after: null,
    next: null,
    pages: 0,
    tries: 0,
    startedAt: new Date().toISOString(),
    rotationLeft: 1,
  };
  await hold(15);
  const chunk = inActivity(() => questions.pollChunk({ ...ids, place: JSON.stringify(place) }));
  await pauseOnceWaiting(rest);
  const ended = await chunk;
  expect(sent).toEqual([]);
  expect(ended).toMatchObject({ requests: 0, found: 0 });
  expect(ended).not.toHaveProperty('limited');
  expect(JSON.parse(String(ended.place))).toMatchObject({ step: 'pushes', tries: 0 });
  const next = await inActivity(() => questions.pollChunk({ ...ids, place: String(ended.place) }));
  expect(next).toEqual({ place: null, requests: 0, found: 0, stopped: POLL_STOPPED });
}, 40_000);

test('of a round over the webhooks: the chunk ends where it stood, and the next one rests', async () => {
  const { ids, client, credentials, sent, hold, ...rest } = await situation();
  const { organizationId, integrationId } = ids;
  await bench.sql`insert into integration_workspaces (organization_id, integration_id, workspace_id, administrator)
    select ${organizationId}, ${integrationId}, id, false from workspaces where organization_id = ${organizationId}`;
  await bench.sql`insert into webhook_upkeep (organization_id, integration_id, wanted, command_id)
    values (${organizationId}, ${integrationId}, true, 'first')`;
  const webhooks = createWebhookActivities({
    database: bench.database,
    client,
    credentials,
    webhookKey: WEBHOOK_KEY,
    publicUrl: 'https://ingestion.example.com',
    apiUrl: 'https://api.bitbucket.org/2.0',
  });
  await hold(15);
  const chunk = inActivity(() => webhooks.keepWebhooksChunk({ ...ids, cursor: null }));
  await pauseOnceWaiting(rest);
  const ended = await chunk;
  expect(sent).toEqual([]);
  expect(ended).toMatchObject({ more: true, off: false });
  expect(ended).not.toHaveProperty('limited');
  const next = await inActivity(() => webhooks.keepWebhooksChunk({ ...ids, cursor: ended.cursor }));
  expect(next).toMatchObject({ more: false, resting: 'paused' });
}, 40_000);

test('of an estimate: it ends, and says why', async () => {
  const { ids, client, sent, hold, ...rest } = await situation();
  const of = { ...ids, estimateId: uuid() };
  await bench.sql`insert into import_estimates (id, organization_id, integration_id, mode, selection)
    values (${of.estimateId}, ${of.organizationId}, ${of.integrationId}, 'changed', '{"all": true}')`;
  await createEstimateRows({ database: bench.database }).beginEstimate(of);
  const questions = createEstimateQuestions({ database: bench.database, client });
  // It waits five seconds at most inside the call.
  await hold(4.5);
  const chunk = inActivity(() => questions.estimateChunk(of));
  await Promise.all([
    expect(chunk).rejects.toMatchObject({ type: 'estimate_paused' }),
    pauseOnceWaiting(rest),
  ]);
  expect(sent).toEqual([]);
}, 40_000);
