import { generateKeyPairSync } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import postgres from 'postgres';
import type { Registry } from 'prom-client';
import { v7 } from 'uuid';
import { createBitbucketClient, type CredentialRef } from '../../activities/bitbucket/client.ts';
import { createRequestMetrics } from '../../activities/bitbucket/requestMetrics.ts';
import { createRequestGate } from '../../activities/bitbucket/requestGate.ts';
import { createTokenEndpoint } from '../../activities/bitbucket/tokenEndpoint.ts';
import { createConnectionActivities } from '../../activities/integrations/connection.ts';
import { createCodeExchange } from '../../activities/credentials/codeExchange.ts';
import { createCredentialStore } from '../../activities/credentials/credentialStore.ts';
import { createOauthRefresher } from '../../activities/credentials/oauthRefresh.ts';
import { createDiscoveryActivities } from '../../activities/discovery/discovery.ts';
import type { VanishingRules } from '../../activities/presence/decideList.ts';
import { createWebhookActivities } from '../../activities/webhooks/webhooks.ts';
import { createDatabase } from '../../db/client.ts';
import { createOpener } from '../../platform/secrets/open.ts';
import { createSealer } from '../../platform/secrets/seal.ts';
import { Secret } from '../../platform/secrets/secret.ts';
import type { CredentialKind } from '../../workflows/words.ts';
import type { TestDatabase } from './database.ts';

/** One key pair for seals, as plain text: a child process gets the same. */
export interface TestKeys {
  keyId: string;
  publicKey: string;
  privateKey: string;
}

export function createTestKeys(): TestKeys {
  const { privateKey } = generateKeyPairSync('x25519');
  const { x = '', d = '' } = privateKey.export({ format: 'jwk' });
  return { keyId: 'test', publicKey: x, privateKey: d };
}

export interface EngineOptions {
  /** the worker role's */
  databaseUrl: string;
  keys: TestKeys;
  apiUrl: string;
  webUrl: string;
  /** left out or null: the installation has none */
  consumer?: { key: string; secret: string } | null;
  passwordLogin?: boolean;
  secondTryAfterMs?: number;
  deadlineMs?: number;
  maxBytes?: number;
  maxRequests?: number;
  /** when what is missing is believed to be gone */
  rules?: VanishingRules;
  /** where Bitbucket delivers webhooks to; null: nowhere */
  publicUrl?: string | null;
  /** where the metrics of its requests go; left out: nowhere */
  metrics?: Registry;
}

/** What the secrets of webhooks are derived from in these tests. */
export const WEBHOOK_KEY = new Secret(Buffer.alloc(32, 7).toString('base64url'));

/** The engine's side of Bitbucket, put together as the worker does, without a Temporal worker around it. */
export function createBitbucketEngine(options: EngineOptions) {
  const { databaseUrl: url, keys, apiUrl, webUrl, consumer, deadlineMs, maxBytes, maxRequests } = options;
  const database = createDatabase({ url, maxConnections: 8, applicationName: 'test' });
  const refreshDatabase = createDatabase({ url, maxConnections: 2, applicationName: 'test refresh' });
  const sealer = createSealer(keys);
  const opener = createOpener({
    keys: [{ keyId: keys.keyId, privateKey: new Secret(keys.privateKey) }],
  });
  const tokens =
    consumer === undefined || consumer === null
      ? undefined
      : createTokenEndpoint({
          webUrl,
          clientKey: consumer.key,
          clientSecret: new Secret(consumer.secret),
        });
  const refresher =
    tokens === undefined
      ? undefined
      : createOauthRefresher({
          database: refreshDatabase,
          opener,
          sealer,
          tokens,
          secondTryAfterMs: options.secondTryAfterMs ?? 300,
        });
  const credentials = createCredentialStore({ database, opener, refresher });
  const metrics =
    options.metrics === undefined
      ? undefined
      : createRequestMetrics(options.metrics, { database, windowMs: 3_600_000 });
  const gate = createRequestGate({ database });
  const client = createBitbucketClient({
    apiUrl,
    signer: credentials,
    gate,
    ...(metrics === undefined ? {} : { onAnswer: metrics.onAnswer }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  });
  const connection = createConnectionActivities({
    database,
    client,
    credentials,
    exchangeCode: createCodeExchange({ database, opener, sealer, tokens }),
    apiUrl,
    passwordLogin: options.passwordLogin ?? false,
  });
  const discovery = createDiscoveryActivities({
    database,
    client,
    credentials,
    ...(options.rules === undefined ? {} : { rules: options.rules }),
    ...(maxRequests === undefined ? {} : { maxRequests }),
  });
  const { publicUrl = 'http://127.0.0.1:4400' } = options;
  const webhooks = createWebhookActivities({
    database,
    client,
    credentials,
    webhookKey: WEBHOOK_KEY,
    publicUrl: publicUrl ?? undefined,
    apiUrl,
    ...(maxRequests === undefined ? {} : { maxSteps: maxRequests }),
  });
  return {
    database,
    credentials,
    gate,
    client,
    connection,
    discovery,
    webhooks,
    sealer,
    refresher,
    end: async () => {
      await Promise.all([database.end(), refreshDatabase.end()]);
    },
  };
}
export type BitbucketEngine = ReturnType<typeof createBitbucketEngine>;

/** Runs work as inside an activity, its first attempt or that one: heartbeats and cancellation have somewhere to go. */
export async function inActivity<T>(work: () => Promise<T>, info: { attempt?: number } = {}): Promise<T> {
  const results: T[] = [];
  await new MockActivityEnvironment(info, { logger: new DefaultLogger('ERROR') }).run(async () => {
    results.push(await work());
  });
  return results[0]!;
}

/** Rows around a credential, written as a superuser. */
export function createCredentialRows(testDatabase: TestDatabase, keys: TestKeys) {
  const sql = postgres(testDatabase.superuserUrl, { max: 2, onnotice: () => {} });
  const sealer = createSealer(keys);

  async function organization(): Promise<string> {
    const id = v7();
    await sql`insert into organizations (id, name) values (${id}, ${id})`;
    return id;
  }

  return {
    sql,
    organization,
    /** An integration in its own organization unless one is given, with this credential as the one that signs. */
    async integration(
      kind: CredentialKind,
      secret: Record<string, string>,
      more: {
        fields?: Record<string, string>;
        expiresOn?: string;
        accessExpiresAt?: string;
        organizationId?: string;
      } = {},
    ): Promise<CredentialRef & { integrationId: string; checkId: string }> {
      const organizationId = more.organizationId ?? (await organization());
      const [integrationId, credentialId, checkId] = [v7(), v7(), v7()];
      const { sealed, keyId } = await sealer.seal(JSON.stringify(secret), {
        organizationId,
        ownerId: integrationId,
        field: 'credential',
      });
      await sql`insert into integrations (id, organization_id, services, credential_id)
        values (${integrationId}, ${organizationId}, '{repositories,pull_requests,tickets}', ${credentialId})`;
      await sql`insert into credentials
          (id, organization_id, integration_id, owner_id, kind, state, sealed, key_id, fields, expires_on, access_expires_at)
        values (${credentialId}, ${organizationId}, ${integrationId}, ${integrationId}, ${kind}, 'active',
          ${Buffer.from(sealed)}, ${keyId}, ${sql.json(more.fields ?? {})}, ${more.expiresOn ?? null},
          ${more.accessExpiresAt ?? null})`;
      await sql`insert into connection_checks (id, organization_id, integration_id, credential_kind)
        values (${checkId}, ${organizationId}, ${integrationId}, ${kind})`;
      return { organizationId, credentialId, integrationId, checkId };
    },
    async credential(id: string) {
      const [row] =
        await sql`select *, refresh_started_at is not null as refreshing from credentials where id = ${id}`;
      return row;
    },
    end: () => sql.end(),
  };
}
export type CredentialRows = ReturnType<typeof createCredentialRows>;
