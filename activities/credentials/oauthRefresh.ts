import { setTimeout as sleep } from 'node:timers/promises';
import { DatabaseError } from '../../db/errors.ts';
import type { Database } from '../../db/client.ts';
import {
  endCredential,
  loadCredential,
  lockCredential,
  noteRefreshStart,
  storeRenewed,
  type CredentialRow,
  type RenewedSecret,
} from '../../db/queries/credentials.ts';
import type { Opener } from '../../platform/secrets/open.ts';
import { beyondAttempt } from '../../platform/attempt.ts';
import type { Sealer } from '../../platform/secrets/seal.ts';
import type { CredentialRef } from '../bitbucket/client.ts';
import { consumerRefused, consumerTrouble } from '../bitbucket/consumerTrouble.ts';
import { CredentialUnusable, RateLimited } from '../bitbucket/errors.ts';
import { credentialExpired } from '../bitbucket/findings.ts';
import { GrantRefused, type TokenEndpoint, type TokenPair } from '../bitbucket/tokenEndpoint.ts';
import { oauthSecretText, readSecret } from './sealedSecrets.ts';
import { untilStored } from './untilStored.ts';

export interface OauthRefresher {
  /**
   * Renews the tokens that have this version. Resolves without doing so when they were renewed, replaced or removed by
   * somebody else, before or meanwhile: the row says which.
   * Throws CredentialUnusable when Bitbucket refused twice, apart in time, RateLimited when it does not take the
   * installation's consumer, else what the token endpoint threw. What was told to wait is not asked for again before.
   */
  refresh(credential: CredentialRef, version: number): Promise<void>;
}

export interface OauthRefresherOptions {
  /**
   * A small pool of its own: whoever waits for the lock holds a connection, and on a shared pool the holder of the lock
   * could find none left for its other work.
   */
  database: Database;
  opener: Opener;
  sealer: Sealer;
  tokens: TokenEndpoint;
  /** must be longer than a token call. Default 35,000 */
  lockTimeoutMs?: number;
  /** between the first refusal and the try that is believed. Default 30,000 */
  secondTryAfterMs?: number;
}

/** Refusals that may pass: right after a rotation valid tokens are refused too, in either form (facts 1.1). */
const DOUBTFUL = new Set(['invalid_grant', 'unauthorized_client']);

/** While the second try is waited for. */
const LOOK_EVERY_MS = 1_000;

/** A tenth of the life early, at most five minutes: renewed ahead, whatever life Bitbucket gives. */
export const usableSeconds = (lifeSeconds: number): number =>
  Math.max(1, Math.floor(lifeSeconds - Math.min(300, lifeSeconds / 10)));

/**
 * Bitbucket's refresh tokens rotate and are single use. So: one refresh in flight per credential in a process (a shared
 * promise) and across processes (the row's lock, held during the call); after the lock the row is read again; the new
 * pair is stored before anybody signs with it.
 */
export function createOauthRefresher(options: OauthRefresherOptions): OauthRefresher {
  const { database, opener, sealer, tokens, lockTimeoutMs = 35_000, secondTryAfterMs = 30_000 } = options;
  const inFlight = new Map<string, Promise<void>>();
  /** Every repository of an integration would hear the same, one request each. */
  const toldToWait = new Map<string, RateLimited>();

  function noteWait(key: string, error: unknown): void {
    if (!(error instanceof RateLimited)) return;
    for (const [other, { until }] of toldToWait) if (!isAhead(until)) toldToWait.delete(other);
    toldToWait.set(key, error);
  }

  async function refreshTwice(credential: CredentialRef, version: number): Promise<void> {
    try {
      await refreshOnce(credential, version);
      return;
    } catch (error) {
      if (!(error instanceof GrantRefused)) throw error;
      if (!DOUBTFUL.has(error.error)) throw consumerTrouble(consumerRefused(error.error));
    }
    // Without the lock: somebody else may get through meanwhile.
    if (!(await isStillWanted(credential, version))) return;
    try {
      await refreshOnce(credential, version);
    } catch (error) {
      if (!(error instanceof GrantRefused)) throw error;
      if (!DOUBTFUL.has(error.error)) throw consumerTrouble(consumerRefused(error.error));
      // A wrong secret of the consumer, or its short while behind another grant's re-use, must not end what is valid.
      if (error.error === 'unauthorized_client' && !(await tokens.takesConsumer()))
        throw consumerTrouble(consumerRefused(error.error));
      const { organizationId, credentialId: id } = credential;
      const ended = await database.transaction(organizationId, (tx) => endCredential(tx, { id, version }));
      if (ended) throw new CredentialUnusable({ finding: credentialExpired('oauth') });
    }
  }

  /** Waits for the second try; false, and early, when the credential was renewed, replaced or removed meanwhile. */
  async function isStillWanted({ organizationId, credentialId: id }: CredentialRef, version: number) {
    const endsMs = performance.now() + secondTryAfterMs;
    for (let leftMs = secondTryAfterMs; leftMs > 0; leftMs = endsMs - performance.now()) {
      await sleep(Math.min(leftMs, LOOK_EVERY_MS));
      try {
        const row = await database.read(organizationId, (tx) => loadCredential(tx, id));
        if (!needsRefresh(row, version)) return false;
      } catch (error) {
        // Postgres being away says nothing of the credential.
        if (!(error instanceof DatabaseError)) throw error;
      }
    }
    return true;
  }

  async function refreshOnce({ organizationId, credentialId: id }: CredentialRef, version: number) {
    // Committed apart, before anything is sent: a crash between Bitbucket's answer and our commit leaves this trace.
    await database.transaction(organizationId, (tx) => noteRefreshStart(tx, { id, version, lockTimeoutMs }));
    let renewed: Promise<RenewedSecret> | undefined;
    try {
      await database.transaction(organizationId, async (tx) => {
        const row = await lockCredential(tx, id, lockTimeoutMs);
        if (!needsRefresh(row, version)) return;
        // A repeated transaction must not spend a second refresh token.
        renewed ??= renew(organizationId, row);
        await storeRenewed(tx, await renewed);
      });
    } catch (error) {
      if (renewed === undefined || !(error instanceof DatabaseError)) throw error;
      // A lost connection ends the transaction at once, and Bitbucket may not have answered yet.
      const late = await renewed;
      await untilStored(() => database.transaction(organizationId, (tx) => storeRenewed(tx, late)));
    }
  }

  const renew = async (organizationId: string, row: OpenableRow): Promise<RenewedSecret> =>
    sealPair(organizationId, row, await callEndpoint(organizationId, row));

  async function callEndpoint(organizationId: string, row: OpenableRow): Promise<TokenPair> {
    const context = { organizationId, ownerId: row.owner_id, field: 'credential' };
    const secret = readSecret('oauth', await opener.open({ keyId: row.key_id, sealed: row.sealed }, context));
    if (secret.kind !== 'oauth') throw new Error('Only OAuth tokens are renewed.');
    return tokens.refresh(secret.refreshToken);
  }

  async function sealPair(organizationId: string, row: OpenableRow, pair: TokenPair): Promise<RenewedSecret> {
    const context = { organizationId, ownerId: row.owner_id, field: 'credential' };
    return {
      ...(await sealer.seal(oauthSecretText(pair), context)),
      id: row.id,
      version: row.version,
      accessSeconds: usableSeconds(pair.expiresInSeconds),
      scopes: pair.scopes,
    };
  }

  return {
    async refresh(credential, version) {
      const key = `${credential.credentialId}/${String(version)}`;
      const wait = toldToWait.get(key);
      if (wait !== undefined && isAhead(wait.until)) throw wait;
      let running = inFlight.get(key);
      if (running === undefined) {
        // Once Bitbucket has given a pair it must be stored, however long that takes; its version fences it.
        running = beyondAttempt(() => refreshTwice(credential, version))
          .catch((error: unknown) => {
            noteWait(key, error);
            throw error;
          })
          .finally(() => inFlight.delete(key));
        inFlight.set(key, running);
      }
      await running;
    },
  };
}

const isAhead = (until: string): boolean => Date.parse(until) > Date.now();

type OpenableRow = CredentialRow & { sealed: Uint8Array };

function needsRefresh(row: CredentialRow | undefined, version: number): row is OpenableRow {
  return row !== undefined && row.version === version && row.sealed !== null && row.state !== 'shredded';
}
