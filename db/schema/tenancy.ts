import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, primaryKey, text, unique, uuid } from 'drizzle-orm/pg-core';
import { bytes, createdAt, instant, oneOf, organizationId, word } from './columns.ts';

export const ROLES = ['viewer', 'manager', 'admin'] as const;
export type Role = (typeof ROLES)[number];

/** A customer of the product backend. Its own id is what row-level security compares. */
export const organizations = pgTable('organizations', {
  id: uuid('id').primaryKey(),
  name: text('name').notNull().unique(),
  /** exact URLs the OAuth callback may send a browser back to */
  returnUrls: text('return_urls').array().notNull().default(sql`'{}'`),
  createdAt: createdAt(),
});

/** Bearer keys: found by their public prefix, compared by hash. */
export const apiKeys = pgTable(
  'api_keys',
  {
    id: uuid('id').primaryKey(),
    organizationId: organizationId().references(() => organizations.id, { onDelete: 'cascade' }),
    prefix: text('prefix').notNull().unique(),
    /** SHA-256 of the whole key */
    hash: bytes('hash').notNull(),
    role: word<Role>('role').notNull(),
    label: text('label').notNull().default(''),
    createdAt: createdAt(),
    expiresAt: instant('expires_at'),
    revokedAt: instant('revoked_at'),
  },
  (t) => [
    oneOf('api_keys_role', t.role, ROLES),
    unique('api_keys_in_organization').on(t.organizationId, t.id),
  ],
);

/** What a request with an `Idempotency-Key` answered, kept for 24 hours. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    organizationId: organizationId(),
    key: text('key').notNull(),
    /** method and route pattern */
    operation: text('operation').notNull(),
    /** HMAC of path and body: bodies carry secrets, so never a plain hash */
    fingerprint: bytes('fingerprint').notNull(),
    /** null while the first request is under way, or nobody knows how it ended */
    status: integer('status'),
    answer: jsonb('answer').$type<{ headers: Record<string, string>; body: unknown }>(),
    /** when its present claim began */
    createdAt: createdAt(),
    /** when the first claim of this request began: its repetitions go on with what that one sent */
    firstAt: instant('first_at').notNull().default(sql`clock_timestamp()`),
    /** the `created_at` of a claim whose outcome nobody knows: it is over, and the same request may go on at once */
    overAt: instant('over_at'),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.key] }), index('idempotency_keys_age').on(t.createdAt)],
);

/** Who did what: append only (the application roles may insert and select). */
export const auditEvents = pgTable(
  'audit_events',
  {
    organizationId: organizationId(),
    id: bigint('id', { mode: 'bigint' }).generatedAlwaysAsIdentity(),
    integrationId: uuid('integration_id'),
    action: text('action').notNull(),
    apiKeyId: uuid('api_key_id'),
    actingUser: text('acting_user'),
    details: jsonb('details').$type<Record<string, unknown>>().notNull().default({}),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [primaryKey({ columns: [t.organizationId, t.id] })],
);
