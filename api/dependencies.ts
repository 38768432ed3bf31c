import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Registry } from 'prom-client';
import type { Database } from '../db/client.ts';
import type { Role } from '../db/schema/tenancy.ts';
import type { Logger } from '../platform/log.ts';
import type { Secret } from '../platform/secrets/secret.ts';
import type { Sealer } from '../platform/secrets/seal.ts';
import type { KeyDirectory } from './keyDirectory.ts';
import type { RequestObserver } from './observe.ts';
import type { Orchestrator } from './orchestrator.ts';
import type { StreamLimit } from './streamLimit.ts';
import type { Turnstile } from './turnstile.ts';
import type { WebhookIntake } from './webhooks/intake.ts';

/** What the api stands on. Everything comes in from outside, so that tests give their own. */
export interface ApiDependencies {
  /** as the api's role; its calls end within a bounded time (`boundedDatabase`) */
  database: Database;
  orchestrator: Orchestrator;
  sealer: Sealer;
  log: Logger;
  metrics: Registry;
  observe: RequestObserver;
  intake: WebhookIntake;
  /** keys the fingerprints and the kept answers of idempotent requests */
  idempotencySecret: Secret;
  /** the api's own address as browsers reach it, without a slash at the end */
  publicUrl: string;
  /** where Bitbucket's site is, and the consumer that this installation logs in with */
  bitbucket: { webUrl: string; oauthKey: string | undefined };
  /** how long an answer waits for a connection check; 10 s unless given */
  checkWaitMs?: number;
  /** how long the check of a submitted secret is that of a request sent again; 10 minutes unless given */
  checkGoesOnMs?: number;
  /** how often an event stream looks for news; 500 ms unless given; a tenth as often where the import waits */
  eventPollMs?: number;
  /** how long an event stream may be silent; 15 s unless given */
  eventHeartbeatMs?: number;
  /** how long the reader of an event stream may take nothing; 30 s unless given */
  eventWriteMs?: number;
  /** aborted when the process ends: event streams close, so that the shutdown need not wait for them */
  stopping?: AbortSignal;
}

/** Who sends a request: decided by its key alone. */
export interface Principal {
  organizationId: string;
  apiKeyId: string;
  role: Role;
  /** the person behind the backend, as it says; opaque */
  actingUser: string | null;
}

/** That a request holds its Idempotency-Key. */
export interface KeyClaim {
  key: string;
  /** in UTC, by Postgres's clock, which all apis share: `2026-11-23` */
  day: string;
  /** when the request was sent for the first time; what it has begun since, with an outcome that nobody knows, goes on */
  firstAt: string;
  /** how long ago that was; 0: now */
  ageMs: number;
}

export interface ApiEnv {
  /** what the HTTP server gives with a request; nothing where there is none */
  Bindings: { outgoing?: { destroy(): void } };
  Variables: {
    dependencies: ApiDependencies;
    keys: KeyDirectory;
    streams: StreamLimit;
    /** what event streams read goes through it: requests and deliveries find connections to the database left */
    looks: Turnstile;
    requestId: string;
    principal: Principal;
    /** not set: the request has no key */
    claim?: KeyClaim;
  };
}

export type ApiApp = OpenAPIHono<ApiEnv>;
