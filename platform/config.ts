import { z } from 'zod';
import { type Environment, readVariables, type Variable } from './environment.ts';
import { LOG_LEVELS, type LogLevel } from './log.ts';
import { DOCUMENTED_LIMITS, type RequestLimits, requestLimits } from './requestLimits.ts';
import { privateKeysFile, publicKeyFile } from './secrets/keyFiles.ts';
import type { SealingPublicKey } from './secrets/seal.ts';
import { Secret } from './secrets/secret.ts';

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

const url = (protocols: RegExp) =>
  z.url({ protocol: protocols }).transform((text) => text.replace(/\/+$/, ''));
const http = url(/^https?$/);
const port = (fallback: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, 'no port number')
    .transform(Number)
    .refine((value) => value <= 65_535, 'no port number')
    .prefault(String(fallback));
const optional = z.string().optional();
const secret = z.string().transform((text) => new Secret(text));

/** JSON in a variable, by its schema. The text is a secret or long: errors do not repeat it. */
const json = <T>(schema: z.ZodType<T>) =>
  z.string().transform((text, context): T => {
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
    context.addIssue({ code: 'custom', message: 'not the JSON that npm run keys writes' });
    return z.NEVER;
  });

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const databaseUrl = (role: string): Variable<string> => ({
  schema: z.url({ protocol: /^postgres(ql)?$/ }),
  secret: true,
  fix: `Set it to the Postgres URL of ${role}, e.g. postgres://${role}:PASSWORD@HOST:5432/bucket_brigade.`,
});

const shared = {
  TEMPORAL_ADDRESS: {
    schema: z
      .string()
      .regex(/^[^\s/]+:\d+$/, 'not HOST:PORT')
      .default('127.0.0.1:7233'),
    fix: 'Set it to HOST:PORT of the Temporal server, e.g. 127.0.0.1:7233.',
  },
  TEMPORAL_NAMESPACE: {
    schema: z.string().default('default'),
    fix: 'Set it to the Temporal namespace; left out it is "default".',
  },
  TASK_QUEUE: {
    schema: z.string().default('ingestion'),
    fix: 'Set it to the Temporal task queue of api and worker; left out it is "ingestion".',
  },
  LOG_LEVEL: {
    schema: z.enum(LOG_LEVELS).default('info'),
    fix: `Set it to one of ${LOG_LEVELS.join(', ')}.`,
  },
  BITBUCKET_API_URL: {
    schema: http.default('https://api.bitbucket.org/2.0'),
    fix: 'Set it to the base of the REST API, e.g. https://api.bitbucket.org/2.0, or leave it out.',
  },
  BITBUCKET_WEB_URL: {
    schema: http.default('https://bitbucket.org'),
    fix: 'Set it to the address of the site (git, OAuth), e.g. https://bitbucket.org, or leave it out.',
  },
  BITBUCKET_OAUTH_KEY: { schema: optional, fix: "Set it to the OAuth consumer's key, or leave it out." },
  WEBHOOK_KEY: {
    schema: z
      .string()
      .regex(/^[\w-]{43}$/, 'not 32 bytes in base64url')
      .transform((text) => new Secret(text)),
    secret: true,
    fix: 'Run "npm run keys -- generate --folder FOLDER" and set WEBHOOK_KEY_FILE=FOLDER/webhook-key, the same for api and worker.',
  },
  HOST: { schema: z.string().default('127.0.0.1'), fix: 'Set it to the address to listen on.' },
};

const api = {
  ...shared,
  DATABASE_URL: databaseUrl('bucket_brigade_api'),
  PORT: { schema: port(4400), fix: 'Set it to the port to listen on, 0 to 65535.' },
  PUBLIC_URL: {
    schema: http,
    fix: 'Set it to the address under which browsers reach this api, e.g. https://ingestion.example.com.',
  },
  SEALING_PUBLIC_KEY: {
    schema: json(publicKeyFile),
    secret: true,
    fix: 'Run "npm run keys -- generate --folder FOLDER" and set SEALING_PUBLIC_KEY_FILE=FOLDER/sealing-public-key.json.',
  },
  IDEMPOTENCY_KEY_SECRET: {
    schema: z
      .string()
      .min(32, 'shorter than 32 characters')
      .transform((text) => new Secret(text)),
    secret: true,
    fix: 'Run "npm run keys -- generate --folder FOLDER" and set IDEMPOTENCY_KEY_SECRET_FILE=FOLDER/idempotency-secret.',
  },
};

const worker = {
  ...shared,
  DATABASE_URL: databaseUrl('bucket_brigade_worker'),
  METRICS_PORT: {
    schema: port(0),
    fix: 'Set it to the port for /metrics and /readyz, or leave it out for none.',
  },
  WORKFLOW_BUNDLE: {
    schema: optional,
    fix: 'Set it to the file that the workflows were bundled into, or leave it out.',
  },
  CLONE_FOLDER: {
    schema: z.string(),
    fix: 'Set it to a folder for git clones (a cache: it may be emptied while no worker runs).',
  },
  PUBLIC_WEBHOOK_URL: {
    schema: http.optional(),
    fix: 'Set it to the address under which Bitbucket reaches the api, where that is not PUBLIC_URL, or leave it out.',
  },
  PUBLIC_URL: {
    schema: http.optional(),
    fix: "Set it to the api's address, e.g. https://ingestion.example.com, or leave it out: there are no webhooks then.",
  },
  SIDE_BY_SIDE_FROM_BYTES: {
    schema: z
      .string()
      .regex(/^\d{1,15}$/, 'not a number of bytes')
      .transform(Number)
      .optional(),
    fix: 'Set it to the size from which on git and the API of a repository are read at once (0: of each), or leave it out.',
  },
  POLL_INTERVAL_MS: {
    schema: z
      .string()
      .regex(/^(0|[1-9]\d{3,8})$/, 'not 0 or 1000 to 999999999 milliseconds')
      .transform(Number)
      .prefault('900000'),
    fix: 'Set it to the milliseconds between two poll rounds of an integration (0: none), or leave it out for 15 minutes.',
  },
  DISCOVERY_INTERVAL_MS: {
    schema: z
      .string()
      .regex(/^(0|[1-9]\d{3,8})$/, 'not 0 or 1000 to 999999999 milliseconds')
      .transform(Number)
      .prefault('21600000'),
    fix: 'Set it to the milliseconds between two discoveries of an integration (0: none), or leave it out for six hours.',
  },
  GONE_AFTER_MS: {
    schema: z
      .string()
      .regex(/^\d{1,9}$/, 'not 0 to 999999999 milliseconds')
      .transform(Number)
      .prefault('3600000'),
    fix: 'Set it to the milliseconds that two lists must be apart before what both lack counts as gone, or leave it out for an hour.',
  },
  VANISHED_AT_LEAST: {
    schema: z
      .string()
      .regex(/^\d{1,6}$/, 'not a number of repositories')
      .transform(Number)
      .prefault('5'),
    fix: 'Set it to how many repositories may vanish from a workspace at once before a person is asked, or leave it out for 5.',
  },
  SEALING_PRIVATE_KEYS: {
    schema: json(privateKeysFile),
    secret: true,
    fix: 'Run "npm run keys -- generate --folder FOLDER" and set SEALING_PRIVATE_KEYS_FILE=FOLDER/sealing-private-keys.json.',
  },
  BITBUCKET_OAUTH_SECRET: {
    schema: secret.optional(),
    secret: true,
    fix: "Set it to the OAuth consumer's secret, or leave it out with BITBUCKET_OAUTH_KEY.",
  },
  BITBUCKET_PASSWORD_LOGIN: {
    schema: z
      .enum(['true', 'false'])
      .default('false')
      .transform((text) => text === 'true'),
    fix: 'Set it to true only where the host still takes passwords; bitbucket.org does not.',
  },
  BITBUCKET_LIMITS: {
    schema: requestLimits.optional(),
    fix: 'Leave it out for the documented limits, or set what differs: repository_data=2000, or none.',
  },
  BITBUCKET_LIMIT_WINDOW_MS: {
    schema: z
      .string()
      .regex(/^[1-9]\d{2,7}$/, 'not 100 to 99999999 milliseconds')
      .transform(Number)
      .prefault('3600000'),
    fix: 'Leave it out: Bitbucket counts by the hour. Only a simulated host has another window.',
  },
};

/** Settings of the api process. Throws a ConfigError that names everything wrong. */
export function loadApiConfig(environment: Environment = process.env): ApiConfig {
  const values = readVariables(api, environment);
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
  const values = readVariables(worker, environment);
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
  const values = readVariables({ DATABASE_OWNER_URL: databaseUrl('bucket_brigade_owner') }, environment);
  return { ownerUrl: values.DATABASE_OWNER_URL };
}

/** What may prepare an empty Postgres: a superuser, and the passwords that the roles shall have. */
export interface ProvisioningConfig {
  adminUrl: string;
  passwords: { owner: string; api: string; worker: string };
}

const rolePassword = (role: string): Variable<string> => ({
  schema: z.string().min(16, 'shorter than 16 characters'),
  secret: true,
  fix: `Set it to the password that the role ${role} shall have.`,
});

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
  const values = readVariables(
    {
      DATABASE_ADMIN_URL: databaseUrl('a superuser'),
      DATABASE_OWNER_PASSWORD: rolePassword('bucket_brigade_owner'),
      DATABASE_API_PASSWORD: rolePassword('bucket_brigade_api'),
      DATABASE_WORKER_PASSWORD: rolePassword('bucket_brigade_worker'),
    },
    environment,
  );
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
