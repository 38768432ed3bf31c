import { LRUCache } from 'lru-cache';
import type { Database } from '../../db/client.ts';
import {
  credentialOfIntegration,
  forgetRefusals,
  loadCredential,
  noteRefusal,
  type CredentialRow,
} from '../../db/queries/credentials.ts';
import { mustBeInTime } from '../../platform/attempt.ts';
import type { Opener } from '../../platform/secrets/open.ts';
import type { CredentialKind, Finding } from '../../workflows/words.ts';
import type { CredentialRef } from '../bitbucket/client.ts';
import { consumerTrouble } from '../bitbucket/consumerTrouble.ts';
import { AuthRefused, CredentialReplaced, CredentialUnusable } from '../bitbucket/errors.ts';
import { credentialExpired, credentialHeld } from '../bitbucket/findings.ts';
import type { Signer } from '../bitbucket/signer.ts';
import type { OauthRefresher } from './oauthRefresh.ts';
import {
  authorizationOf,
  gitCredentialOf,
  readSecret,
  type GitCredential,
  type OpenedSecret,
} from './sealedSecrets.ts';

/** What may be known of a credential without opening it. */
export interface CredentialFacts {
  kind: CredentialKind;
  /** workspace, project, repository of an access token; `expires_on` */
  fields: Record<string, string>;
  accountKey: string | null;
  /** ISO */
  expiresOn: string | null;
  /** its given end is past */
  expired: boolean;
}

export interface CredentialStore extends Signer {
  /** Which credential signs for an integration. Throws CredentialUnusable when it has none. */
  ofIntegration(integration: { organizationId: string; integrationId: string }): Promise<CredentialRef>;
  facts(credential: CredentialRef): Promise<CredentialFacts>;
  /** The user name of `basic` and `api_token`, for findings that depend on its form; it is no secret. */
  userName(credential: CredentialRef): Promise<string | null>;
  /** For git over HTTPS; an ending OAuth token is renewed first. `version`: for `renew`, when git is refused. */
  gitCredential(
    credential: CredentialRef,
    signal: AbortSignal,
  ): Promise<GitCredential & { version: number; accountKey: string }>;
}

export interface CredentialStoreOptions {
  database: Database;
  opener: Opener;
  /** undefined: this installation has no OAuth consumer */
  refresher: OauthRefresher | undefined;
}

/** A credential that was not shredded. */
type UsableRow = CredentialRow & { sealed: Uint8Array };

/** After a renewal that did not help, 401 is taken as it is for this long (a brownout lasts 15 minutes). */
const USELESS_MS = 5 * 60_000;

/** Opening takes milliseconds, and an import signs several requests a second. */
const OPENED_MS = 60_000;
const OPENED_AT_ONCE = 1_000;

/**
 * Loads credentials as their tenant, for each request anew, and opens them. What is opened is kept for a minute at most,
 * and used only for the row that holds the very bytes it was opened from.
 */
export function createCredentialStore(options: CredentialStoreOptions): CredentialStore {
  const { database, opener, refresher } = options;
  const useless = new Map<string, { version: number; untilMs: number }>();
  const opened = new LRUCache<string, { keyId: string; sealed: Uint8Array; secret: OpenedSecret }>({
    max: OPENED_AT_ONCE,
    ttl: OPENED_MS,
    ttlAutopurge: true,
  });

  async function load({ organizationId, credentialId }: CredentialRef): Promise<UsableRow> {
    const row = await database.read(organizationId, (tx) => {
      // A late attempt of a worker that was frozen sends nothing more.
      mustBeInTime();
      return loadCredential(tx, credentialId);
    });
    if (row === undefined) throw removed();
    if (row.sealed === null) throw (await isReplaced(organizationId, row)) ? replaced() : removed();
    return { ...row, sealed: row.sealed };
  }

  /** The row, fresh enough to sign with, and not held back by what Bitbucket answered to it. */
  async function usable(
    credential: CredentialRef,
    signal: AbortSignal,
    { evenIfRefused = false } = {},
  ): Promise<UsableRow> {
    signal.throwIfAborted();
    const row = await load(credential);
    if (row.expired) throw new CredentialUnusable({ finding: credentialExpired(row.kind) });
    if (row.held_since !== null && !evenIfRefused) {
      throw new AuthRefused({ finding: credentialHeld(row.held_since) });
    }
    if (row.kind !== 'oauth' || !row.access_ended) return row;
    await abortable(refresh(credential, row.version), signal);
    return load(credential);
  }

  async function refresh(credential: CredentialRef, version: number): Promise<void> {
    if (refresher === undefined) throw consumerTrouble(noConsumer());
    await refresher.refresh(credential, version);
  }

  /** Whether the integration signs with another credential by now. */
  async function isReplaced(organizationId: string, row: CredentialRow): Promise<boolean> {
    const { integration_id: integrationId } = row;
    if (integrationId === null) return false;
    const current = await database.transaction(organizationId, (tx) =>
      credentialOfIntegration(tx, integrationId),
    );
    return current !== undefined && current !== row.id;
  }

  async function open(credential: CredentialRef, row: UsableRow): Promise<OpenedSecret> {
    const { organizationId, credentialId } = credential;
    const { key_id: keyId, sealed } = row;
    const key = `${organizationId}/${credentialId}/${row.owner_id}`;
    const known = opened.get(key);
    if (known !== undefined && known.keyId === keyId && Buffer.compare(known.sealed, sealed) === 0) {
      return known.secret;
    }
    const context = { organizationId, ownerId: row.owner_id, field: 'credential' };
    const secret = readSecret(row.kind, await opener.open({ keyId, sealed }, context));
    opened.set(key, { keyId, sealed, secret });
    return secret;
  }

  return {
    async sign(credential, signal, how) {
      const row = await usable(credential, signal, how);
      const authorization = authorizationOf(await open(credential, row));
      return {
        authorization,
        kind: row.kind,
        accountKey: accountKeyOf(row),
        version: row.version,
        wasRefused: row.refusals > 0,
      };
    },

    async renew(credential, version, signal) {
      const row = await load(credential);
      if (row.kind !== 'oauth' || row.expired) return false;
      if (row.version > version) return true; // somebody else was quicker
      const blocked = useless.get(credential.credentialId);
      if (blocked?.version === version && blocked.untilMs > Date.now()) return false;
      await abortable(refresh(credential, version), signal);
      return true;
    },

    renewalDidNotHelp(credential, version) {
      useless.set(credential.credentialId, { version, untilMs: Date.now() + USELESS_MS });
    },

    refused: ({ organizationId, credentialId }) =>
      database.transaction(organizationId, (tx) => noteRefusal(tx, credentialId)),

    accepted: ({ organizationId, credentialId }) =>
      database.transaction(organizationId, (tx) => forgetRefusals(tx, credentialId)),

    async ofIntegration({ organizationId, integrationId }) {
      const credentialId = await database.transaction(organizationId, (tx) =>
        credentialOfIntegration(tx, integrationId),
      );
      if (credentialId === undefined) throw removed();
      return { organizationId, credentialId };
    },

    async facts(credential) {
      const row = await load(credential);
      const { kind, fields, account_key: accountKey, expires_on: expiresOn, expired } = row;
      return { kind, fields, accountKey, expiresOn, expired };
    },

    async userName(credential) {
      const row = await load(credential);
      const secret = await open(credential, row);
      if (secret.kind === 'api_token') return secret.email;
      return secret.kind === 'basic' ? secret.username : null;
    },

    async gitCredential(credential, signal) {
      const row = await usable(credential, signal);
      return {
        ...gitCredentialOf(await open(credential, row)),
        version: row.version,
        accountKey: accountKeyOf(row),
      };
    },
  };
}

const accountKeyOf = (row: CredentialRow): string => row.account_key ?? standInKey(row.id);

/** By which a credential's requests are counted until its account is known. */
export const standInKey = (credentialId: string): string => `credential:${credentialId}`;

/** The work goes on for those who share it; this caller stops waiting. */
async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      try {
        signal.throwIfAborted();
      } catch (reason) {
        reject(reason);
      }
    };
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function removed(): CredentialUnusable {
  return new CredentialUnusable({
    finding: {
      code: 'credential_removed',
      message: 'There is no credential to sign requests with.',
      remedy: 'Submit a credential.',
    },
  });
}

function replaced(): CredentialReplaced {
  return new CredentialReplaced({
    finding: {
      code: 'credential_replaced',
      message: 'Another credential took the place of this one while it was used.',
      remedy: 'Nothing to do: the work goes on with the new one.',
    },
  });
}

const noConsumer = (): Finding => ({
  code: 'oauth_not_configured',
  message: 'This installation has no OAuth consumer, so it cannot renew the access.',
  remedy: 'The operator must set BITBUCKET_OAUTH_KEY and BITBUCKET_OAUTH_SECRET.',
});
