import { sql } from 'drizzle-orm';
import type { CredentialKind } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

export interface CredentialRow {
  id: string;
  integration_id: string | null;
  owner_id: string;
  kind: CredentialKind;
  state: 'candidate' | 'active' | 'shredded';
  sealed: Uint8Array | null;
  key_id: string;
  fields: Record<string, string>;
  account_key: string | null;
  version: number;
  /** the day or time given for it is over */
  expired: boolean;
  /** ISO */
  expires_on: string | null;
  /** OAuth: it is time for a new access token */
  access_ended: boolean;
  /** a refresh was begun and its outcome is not stored */
  refresh_under_way: boolean;
  /** answers 401 in a row */
  refusals: number;
  /** so many, and the last of them so lately, that only the integration's own probe asks with it; HH:MM of the last, UTC */
  held_since: string | null;
}

/** So many answers 401 in a row hold back what would ask next: one may be of its endpoint alone, some are on their way at once. */
const REFUSALS_TO_HOLD = 3;

/** Longer than the integration waits between two probes, so that one comes first: a lost probe holds nothing back for good. */
const HELD_MINUTES = 12;

const columns = sql`id, integration_id, owner_id, kind, state, sealed, key_id, fields, account_key, version,
  coalesce(expires_on <= clock_timestamp(), false) as expired,
  to_char(expires_on at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as expires_on,
  coalesce(access_expires_at <= clock_timestamp(), false) as access_ended,
  refresh_started_at is not null as refresh_under_way, refusals,
  case when refusals >= ${REFUSALS_TO_HOLD} and refused_at > clock_timestamp() - make_interval(mins => ${HELD_MINUTES})
    then to_char(refused_at at time zone 'utc', 'HH24:MI') end as held_since`;

const only = <T>(rows: Iterable<T>): T | undefined => [...rows][0];

export async function loadCredential(tx: Transaction, id: string): Promise<CredentialRow | undefined> {
  return only(
    await tx.execute<CredentialRow & Record<string, unknown>>(
      sql`select ${columns} from credentials where id = ${id}`,
    ),
  );
}

/** The credential that signs for an integration. */
export async function credentialOfIntegration(
  tx: Transaction,
  integrationId: string,
): Promise<string | undefined> {
  const row = only(
    await tx.execute<{ credential_id: string | null }>(
      sql`select credential_id from integrations where id = ${integrationId}`,
    ),
  );
  return row?.credential_id ?? undefined;
}

/**
 * Takes the row for one refresh; others wait `lock_timeout`. `no key update`: foreign keys that point here do not wait.
 */
export async function lockCredential(
  tx: Transaction,
  id: string,
  lockTimeoutMs: number,
): Promise<CredentialRow | undefined> {
  await tx.execute(sql`select set_config('lock_timeout', ${`${String(lockTimeoutMs)}ms`}, true)`);
  return only(
    await tx.execute<CredentialRow & Record<string, unknown>>(
      sql`select ${columns} from credentials where id = ${id} for no key update`,
    ),
  );
}

/** Leaves the trace of a refresh that begins, unless another has made a newer version meanwhile. */
export async function noteRefreshStart(
  tx: Transaction,
  { id, version, lockTimeoutMs }: { id: string; version: number; lockTimeoutMs: number },
): Promise<void> {
  await tx.execute(sql`select set_config('lock_timeout', ${`${String(lockTimeoutMs)}ms`}, true)`);
  await tx.execute(sql`
    update credentials set refresh_started_at = coalesce(refresh_started_at, clock_timestamp())
    where id = ${id} and version = ${version} and state <> 'shredded'`);
}

export interface RenewedSecret {
  id: string;
  /** the version that was renewed */
  version: number;
  sealed: Uint8Array;
  keyId: string;
  /** seconds until the access token should be renewed */
  accessSeconds: number;
  scopes: string[] | null;
}

/**
 * Puts the new pair in the place of the old one; false when the row has moved on or is shredded. A pair says more than a
 * refusal: it lifts the end that another process may have set meanwhile (`endCredential`).
 */
export async function storeRenewed(tx: Transaction, renewed: RenewedSecret): Promise<boolean> {
  const rows = await tx.execute(sql`
    update credentials set
      sealed = ${Buffer.from(renewed.sealed)}, key_id = ${renewed.keyId}, version = version + 1,
      access_expires_at = clock_timestamp() + make_interval(secs => ${renewed.accessSeconds}),
      scopes = coalesce((select array_agg(s) from jsonb_array_elements_text(${
        renewed.scopes === null ? null : JSON.stringify(renewed.scopes)
      }::jsonb) s), scopes),
      refresh_started_at = null, expires_on = null
    where id = ${renewed.id} and version = ${renewed.version} and state <> 'shredded'
    returning 1`);
  return rows.length === 1;
}

/**
 * The refresh token is spent for good: from now on nothing is signed with this credential. False when the row has moved on
 * or is shredded.
 */
export async function endCredential(
  tx: Transaction,
  { id, version }: { id: string; version: number },
): Promise<boolean> {
  const rows = await tx.execute(sql`
    update credentials set expires_on = clock_timestamp(), refresh_started_at = null
    where id = ${id} and version = ${version} and state <> 'shredded'
    returning 1`);
  return rows.length === 1;
}

/** Bitbucket answered 401 to what this credential signed. */
export async function noteRefusal(tx: Transaction, id: string): Promise<void> {
  await tx.execute(sql`
    update credentials set refusals = refusals + 1, refused_at = clock_timestamp() where id = ${id}`);
}

/** Bitbucket took the credential, whatever it answered. */
export async function forgetRefusals(tx: Transaction, id: string): Promise<void> {
  await tx.execute(
    sql`update credentials set refusals = 0, refused_at = null where id = ${id} and refusals > 0`,
  );
}

/** What the connection check learned about the credential. */
export async function noteCheckedCredential(
  tx: Transaction,
  { id, accountKey, scopes }: { id: string; accountKey?: string; scopes?: string[] | null },
): Promise<void> {
  await tx.execute(sql`
    update credentials set
      account_key = coalesce(${accountKey ?? null}::text, account_key),
      scopes = coalesce((select array_agg(s) from jsonb_array_elements_text(${
        scopes == null ? null : JSON.stringify(scopes)
      }::jsonb) s), scopes)
    where id = ${id}`);
}

/** The tokens of an OAuth flow, as a candidate for 15 minutes. The same flow stored twice stays one row. */
export async function insertOauthCredential(
  tx: Transaction,
  row: {
    id: string;
    organizationId: string;
    integrationId: string;
    sealed: Uint8Array;
    keyId: string;
    accessSeconds: number;
    scopes: string[] | null;
  },
): Promise<void> {
  await tx.execute(sql`
    insert into credentials
      (id, organization_id, integration_id, owner_id, kind, state, sealed, key_id, access_expires_at, discard_after, scopes)
    values (${row.id}, ${row.organizationId}, ${row.integrationId}, ${row.integrationId}, 'oauth', 'candidate',
      ${Buffer.from(row.sealed)}, ${row.keyId},
      clock_timestamp() + make_interval(secs => ${row.accessSeconds}), clock_timestamp() + interval '15 minutes',
      (select array_agg(s) from jsonb_array_elements_text(${
        row.scopes === null ? null : JSON.stringify(row.scopes)
      }::jsonb) s))
    on conflict (id) do nothing`);
}

/** Removes the secrets that belong to an owner (a connection check that ended). */
export async function shredSecretsOf(tx: Transaction, ownerId: string): Promise<void> {
  await tx.execute(sql`
    update credentials set sealed = null, state = 'shredded', discard_after = null where owner_id = ${ownerId}`);
}
