import { type Environment, readVariables } from './environment.ts';
import type { LogLevel } from './log.ts';
import { DOCUMENTED_LIMITS, type RequestLimits } from './requestLimits.ts';
import type { SealingPublicKey } from './secrets/seal.ts';
import { Secret } from './secrets/secret.ts';
import { apiVariables, operatorVariables, provisioningVariables, workerVariables } from './variables.ts';

export { ConfigError } from './environment.ts';

/** Where Bitbucket is, and how this installation logs in to it. */
interface BitbucketConfig {
  /** base of the REST API, without a slash at the end */
  apiUrl: string;
  /** git and OAuth hang on it */
  webUrl: string;
  /** the OAuth consumer's key; undefined: this installation offers no OAuth */
  oauthKey: string | undefined;
}

interface SharedConfig {
  databaseUrl: string;
  temporal: { address: string; namespace: string };
  taskQueue: string;
  logLevel: LogLevel;
  /** the secrets of webhooks are derived from it (`platform/secrets/webhookSecret.ts`) */
  webhookKey: Secret;
}

export interface ApiConfig extends SharedConfig {
  host: string;
  port: number;
  /** the api's own address as browsers reach it; the OAuth callback hangs on it */
  publicUrl: string;
  sealingKey: SealingPublicKey;
  idempotencySecret: Secret;
  bitbucket: BitbucketConfig;
}

export interface WorkerConfig extends SharedConfig {
  sealingKeys: { keyId: string; privateKey: Secret }[];
  cloneFolder: string;
  /** the api's address as Bitbucket reaches it, for webhooks; undefined: there are none */
  publicWebhookUrl: string | undefined;
  /** from this size on git and the API of a repository are read at the same time; undefined: the engine's own choice */
  sideBySideFromBytes: number | undefined;
  /** 0: no poll rounds come by themselves */
  pollIntervalMs: number;
  /** 0: no discoveries come by themselves */
  discoveryIntervalMs: number;
  /** when repositories that are missing count as gone, and from how many at once on a person is asked */
  vanishing: { goneAfterMs: number; atLeast: number };
  /** workflows bundled ahead; undefined: beside the compiled worker, or else bundled at the start */
  workflowBundle: string | undefined;
  /** where /metrics and /readyz are served; port 0: nowhere */
  metrics: { host: string; port: number };
  bitbucket: BitbucketConfig & {
    oauthSecret: Secret | undefined;
    /** the host takes plain passwords (historic; bitbucket.org does not) */
    passwordLogin: boolean;
    /** requests in a window, until Bitbucket's answers state other numbers */
    limits: RequestLimits;
    /** length of the rolling window */
    limitWindowMs: number;
  };
}

/** Settings of the api process. Throws a ConfigError that names everything wrong. */
export function loadApiConfig(environment: Environment = process.env): ApiConfig {
  const values = readVariables(apiVariables, environment);
  const { key_id: keyId, public_key: publicKey } = values.SEALING_PUBLIC_KEY;
  return {
    ...sharedConfig(values),
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL,
    sealingKey: { keyId, publicKey },
    idempotencySecret: values.IDEMPOTENCY_KEY_SECRET,
    bitbucket: bitbucketConfig(values),
  };
}

/** Settings of the worker process. Throws a ConfigError that names everything wrong. */
export function loadWorkerConfig(environment: Environment = process.env): WorkerConfig {
  const values = readVariables(workerVariables, environment);
  return {
    ...sharedConfig(values),
    sealingKeys: values.SEALING_PRIVATE_KEYS.keys.map((key) => ({
      keyId: key.key_id,
      privateKey: new Secret(key.private_key),
    })),
    cloneFolder: values.CLONE_FOLDER,
    publicWebhookUrl: values.PUBLIC_WEBHOOK_URL ?? values.PUBLIC_URL,
    sideBySideFromBytes: values.SIDE_BY_SIDE_FROM_BYTES,
    workflowBundle: values.WORKFLOW_BUNDLE,
    pollIntervalMs: values.POLL_INTERVAL_MS,
    discoveryIntervalMs: values.DISCOVERY_INTERVAL_MS,
    vanishing: { goneAfterMs: values.GONE_AFTER_MS, atLeast: values.VANISHED_AT_LEAST },
    metrics: { host: values.HOST, port: values.METRICS_PORT },
    bitbucket: {
      ...bitbucketConfig(values),
      oauthSecret: values.BITBUCKET_OAUTH_SECRET,
      passwordLogin: values.BITBUCKET_PASSWORD_LOGIN,
      limits: values.BITBUCKET_LIMITS ?? DOCUMENTED_LIMITS,
      limitWindowMs: values.BITBUCKET_LIMIT_WINDOW_MS,
    },
  };
}

/** Settings of the operator's scripts: the database as its owner. */
export function loadOperatorConfig(environment: Environment = process.env): { ownerUrl: string } {
  const values = readVariables(operatorVariables, environment);
  return { ownerUrl: values.DATABASE_OWNER_URL };
}

/** What may prepare an empty Postgres: an administrator (`db/provision.ts` says what it must be allowed), and the passwords that the roles shall have. */
export interface ProvisioningConfig {
  adminUrl: string;
  passwords: { owner: string; api: string; worker: string };
}

/**
 * Settings of `npm run db:migrate`. With DATABASE_ADMIN_URL it also makes the roles and the database;
 * without it they must be there already. Throws a ConfigError that names everything wrong.
 */
export function loadMigrationConfig(environment: Environment = process.env): {
  ownerUrl: string;
  provisioning: ProvisioningConfig | undefined;
} {
  const { ownerUrl } = loadOperatorConfig(environment);
  const wantsProvisioning = ['DATABASE_ADMIN_URL', 'DATABASE_ADMIN_URL_FILE'].some(
    (name) => environment[name],
  );
  if (!wantsProvisioning) return { ownerUrl, provisioning: undefined };
  const values = readVariables(provisioningVariables, environment);
  const passwords = {
    owner: values.DATABASE_OWNER_PASSWORD,
    api: values.DATABASE_API_PASSWORD,
    worker: values.DATABASE_WORKER_PASSWORD,
  };
  return { ownerUrl, provisioning: { adminUrl: values.DATABASE_ADMIN_URL, passwords } };
}

function sharedConfig(values: {
  DATABASE_URL: string;
  TEMPORAL_ADDRESS: string;
  TEMPORAL_NAMESPACE: string;
  TASK_QUEUE: string;
  LOG_LEVEL: LogLevel;
  WEBHOOK_KEY: Secret;
}): SharedConfig {
  return {
    databaseUrl: values.DATABASE_URL,
    temporal: { address: values.TEMPORAL_ADDRESS, namespace: values.TEMPORAL_NAMESPACE },
    taskQueue: values.TASK_QUEUE,
    logLevel: values.LOG_LEVEL,
    webhookKey: values.WEBHOOK_KEY,
  };
}

const bitbucketConfig = (values: {
  BITBUCKET_API_URL: string;
  BITBUCKET_WEB_URL: string;
  BITBUCKET_OAUTH_KEY?: string | undefined;
}): BitbucketConfig => ({
  apiUrl: values.BITBUCKET_API_URL,
  webUrl: values.BITBUCKET_WEB_URL,
  oauthKey: values.BITBUCKET_OAUTH_KEY,
});
