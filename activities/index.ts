import type { Client } from '@temporalio/client';
import type { Registry } from 'prom-client';
import type { Database } from '../db/client.ts';
import { createOpener, type SealingPrivateKey } from '../platform/secrets/open.ts';
import type { RequestLimits } from '../platform/requestLimits.ts';
import type { Sealer } from '../platform/secrets/seal.ts';
import type { Secret } from '../platform/secrets/secret.ts';
import type { ConnectionActivities } from '../workflows/contracts/connection.ts';
import type { DiscoveryActivities } from '../workflows/contracts/discovery.ts';
import type { EstimateActivities, EstimateQuestions } from '../workflows/contracts/estimates.ts';
import type { ImportActivities } from '../workflows/contracts/imports.ts';
import type { IntegrationActivities } from '../workflows/contracts/integration.ts';
import type { PollActivities, PollQuestions } from '../workflows/contracts/polls.ts';
import type { QuarantineActivities } from '../workflows/contracts/quarantine.ts';
import type { StreamActivities } from '../workflows/contracts/streams.ts';
import type { SyncActivities } from '../workflows/contracts/syncs.ts';
import type { TellingActivities } from '../workflows/contracts/telling.ts';
import type { WebhookActivities, WebhookRowActivities } from '../workflows/contracts/webhooks.ts';
import type { AutoImportActivities } from '../workflows/contracts/autoImport.ts';
import type { VanishedActivities } from '../workflows/contracts/vanished.ts';
import type { PurgeActivities, RemovalActivities } from '../workflows/contracts/removal.ts';
import { createAutoImportActivities } from './integrations/autoImport.ts';
import { createBitbucketClient } from './bitbucket/client.ts';
import { createRequestGate } from './bitbucket/requestGate.ts';
import { createRequestMetrics } from './bitbucket/requestMetrics.ts';
import { createTokenEndpoint } from './bitbucket/tokenEndpoint.ts';
import { createGitActivities } from './commits/commits.ts';
import { createConnectionActivities } from './integrations/connection.ts';
import { createCodeExchange } from './credentials/codeExchange.ts';
import { createCredentialStore } from './credentials/credentialStore.ts';
import { createOauthRefresher } from './credentials/oauthRefresh.ts';
import { createDiscoveryActivities } from './discovery/discovery.ts';
import { createEstimateQuestions } from './estimate/askRepositories.ts';
import { createEstimateRows } from './estimate/estimateRows.ts';
import { createImportActivities } from './imports/imports.ts';
import { createIntegrationActivities } from './integrations/integrations.ts';
import { createTellSyncs } from './poll/hints.ts';
import { createPollActivities, createPollQuestions } from './poll/polls.ts';
import { createCloneFolder } from './git/cloneFolder.ts';
import type { VanishingRules } from './presence/decideList.ts';
import { createTellingActivities } from './integrations/telling.ts';
import { createVanishedRows } from './presence/vanishedRows.ts';
import { createQuarantineActivities } from './quarantine/quarantine.ts';
import { createPurgeActivities, createRuns } from './removal/purge.ts';
import { createRemovalActivities } from './removal/removal.ts';
import { createRunControl } from './removal/runControl.ts';
import { createRunLookup } from './runs.ts';
import { createStreamActivities } from './streams/streams.ts';
import { createSmallImport } from './imports/smallImport.ts';
import { createSyncActivities } from './imports/syncs.ts';
import { createWebhookRows } from './webhooks/webhookRows.ts';
import { createWebhookActivities } from './webhooks/webhooks.ts';
import { withTotals } from './imports/withTotals.ts';

export interface ActivitiesOptions {
  database: Database;
  /** a small pool of its own for the refresh of OAuth tokens: whoever waits for the lock holds a connection */
  refreshDatabase: Database;
  client: Client;
  /** of the workflows */
  taskQueue: string;
  /** the private keys that open secrets */
  sealingKeys: readonly SealingPrivateKey[];
  /** for tokens that Bitbucket gives */
  sealer: Sealer;
  bitbucket: {
    apiUrl: string;
    webUrl: string;
    oauthKey: string | undefined;
    oauthSecret: Secret | undefined;
    passwordLogin: boolean;
    limits: RequestLimits;
    limitWindowMs: number;
  };
  cloneFolder: string;
  /** milliseconds between the begins of two poll rounds; 0: none come by themselves */
  pollIntervalMs: number;
  /** milliseconds between two discoveries of an integration; 0: none come by themselves */
  discoveryIntervalMs: number;
  /** when repositories that are missing count as gone */
  vanishing: VanishingRules;
  /** the secrets of webhooks are derived from it */
  webhookKey: Secret;
  /** the api's address as Bitbucket reaches it; undefined: there are no webhooks */
  publicWebhookUrl: string | undefined;
  /** see `ImportDependencies` */
  sideBySideFromBytes?: number | undefined;
  /** where requests are counted; left out: nowhere */
  metrics?: Registry | undefined;
}

export interface Activities {
  /** queue of the workflows: only Postgres and Temporal */
  rowActivities: IntegrationActivities &
    ImportActivities &
    EstimateActivities &
    QuarantineActivities &
    SyncActivities &
    PollActivities &
    TellingActivities &
    VanishedActivities &
    WebhookRowActivities &
    AutoImportActivities &
    RemovalActivities;
  /** queue of its own: Bitbucket and git */
  bitbucketActivities: ConnectionActivities &
    DiscoveryActivities &
    StreamActivities &
    EstimateQuestions &
    PollQuestions &
    WebhookActivities &
    PurgeActivities;
}

/** Puts the activities of a worker together. */
export function createActivities(options: ActivitiesOptions): Activities {
  const { database, refreshDatabase, sealer, bitbucket, cloneFolder, taskQueue } = options;
  const { apiUrl, webUrl, oauthKey, oauthSecret, passwordLogin, limits, limitWindowMs } = bitbucket;
  const opener = createOpener({ keys: options.sealingKeys });
  const tokens =
    oauthKey === undefined || oauthSecret === undefined
      ? undefined
      : createTokenEndpoint({ webUrl, clientKey: oauthKey, clientSecret: oauthSecret });
  const refresher =
    tokens === undefined
      ? undefined
      : createOauthRefresher({ database: refreshDatabase, opener, sealer, tokens });
  const credentials = createCredentialStore({ database, opener, refresher });
  const metrics =
    options.metrics === undefined
      ? undefined
      : createRequestMetrics(options.metrics, { database, windowMs: limitWindowMs });
  const gate = createRequestGate({
    database,
    limits,
    windowMs: limitWindowMs,
    ...(metrics === undefined ? {} : { onTaken: metrics.onTaken }),
  });
  const client = createBitbucketClient({
    apiUrl,
    signer: credentials,
    gate,
    deadlineMs: deadlineOf(limitWindowMs),
    ...(metrics === undefined ? {} : { onAnswer: metrics.onAnswer }),
  });
  const { importChunk, linkCommits } = createStreamActivities({
    database,
    bitbucket: client,
    goneAfterMs: options.vanishing.goneAfterMs,
  });
  const clones = createCloneFolder({ folder: cloneFolder, maxBytes: CLONE_BYTES });
  const { importGit } = createGitActivities({
    database,
    credentials,
    gate,
    webUrl,
    cloneFolder,
    clones,
    client,
  });
  const createRun = createRuns(database);
  const isRunning = createRunLookup(options.client);
  const exchangeCode = createCodeExchange({ database, opener, sealer, tokens });
  return {
    rowActivities: {
      ...createIntegrationActivities({ database }),
      ...createImportActivities({
        database,
        isRunning,
        sideBySideFromBytes: options.sideBySideFromBytes,
      }),
      ...createEstimateRows({ database }),
      ...createQuarantineActivities({ database }),
      ...createSyncActivities({ database, isRunning }),
      ...createPollActivities({
        database,
        client: options.client,
        taskQueue,
        intervalMs: options.pollIntervalMs,
        discovery: { intervalMs: options.discoveryIntervalMs, goneAfterMs: options.vanishing.goneAfterMs },
      }),
      ...createTellingActivities({ database, client: options.client }),
      ...createVanishedRows({ database }),
      ...createWebhookRows({ database }),
      ...createAutoImportActivities({ database }),
      ...createRemovalActivities({ database, createRun, runs: createRunControl(options.client) }),
    },
    bitbucketActivities: {
      ...createConnectionActivities({ database, client, credentials, exchangeCode, apiUrl, passwordLogin }),
      ...createDiscoveryActivities({ database, client, credentials, rules: options.vanishing }),
      ...createEstimateQuestions({ database, client }),
      ...createPollQuestions({
        database,
        bitbucket: client,
        credentials,
        tell: createTellSyncs(options.client, taskQueue),
      }),
      ...createWebhookActivities({
        database,
        client,
        credentials,
        webhookKey: options.webhookKey,
        publicUrl: options.publicWebhookUrl,
        apiUrl,
      }),
      importChunk: withTotals(database, importChunk),
      linkCommits: withTotals(database, linkCommits),
      importGit: withTotals(database, importGit),
      importSmall: withTotals(database, createSmallImport({ importGit, importChunk, linkCommits })),
      ...createPurgeActivities({ createRun, clones }),
    },
  };
}

/** What all clones of a worker may take together: 20 GiB. */
export const CLONE_BYTES = 20 * 1024 ** 3;

/** A minute of an hour's window; of a shorter one as much less, but time enough for an answer. */
const deadlineOf = (windowMs: number): number => Math.min(60_000, Math.max(5_000, windowMs / 60));
