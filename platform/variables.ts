import { resolve } from 'node:path';
import { z } from 'zod';
import type { Variable } from './environment.ts';
import { LOG_LEVELS } from './log.ts';
import { requestLimits } from './requestLimits.ts';
import { privateKeysFile, publicKeyFile } from './secrets/keyFiles.ts';
import { Secret } from './secrets/secret.ts';

/** The environment variables of each program: how each is read, and what to set it to when it is missing or wrong. */

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

const rolePassword = (role: string): Variable<string> => ({
  schema: z.string().min(16, 'shorter than 16 characters'),
  secret: true,
  fix: `Set it to the password that the role ${role} shall have.`,
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

/** What the api process is told. */
export const apiVariables = {
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

/** What the worker process is told. */
export const workerVariables = {
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
    // git runs in a folder of its own: a path from the worker's would be another place there.
    schema: z.string().transform((path) => resolve(path)),
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
      .prefault('1'),
    fix: 'Set it to how many repositories may vanish from a workspace at once, however few it has, before a person is asked, or leave it out for 1.',
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

/** What the operator's scripts are told. */
export const operatorVariables = { DATABASE_OWNER_URL: databaseUrl('bucket_brigade_owner') };

/** What `npm run db:migrate` is told besides, to prepare an empty Postgres. */
export const provisioningVariables = {
  DATABASE_ADMIN_URL: databaseUrl('a superuser'),
  DATABASE_OWNER_PASSWORD: rolePassword('bucket_brigade_owner'),
  DATABASE_API_PASSWORD: rolePassword('bucket_brigade_api'),
  DATABASE_WORKER_PASSWORD: rolePassword('bucket_brigade_worker'),
};
