import { pino, stdTimeFunctions, type DestinationStream, type LogFn, type Logger } from 'pino';

export type { Logger };

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LoggerOptions {
  /** `api` or `worker` */
  service: string;
  level: LogLevel;
  /** standard output unless given */
  destination?: DestinationStream;
}

// A second net: code logs ids and counters, and secrets travel as `Secret`. Names as they occur in headers, bodies and rows.
const SECRET_NAMES = [
  'authorization',
  'cookie',
  'password',
  'token',
  'access_token',
  'refresh_token',
  'accessToken',
  'refreshToken',
  'client_secret',
  'secret',
  'code',
  'code_verifier',
  'completion',
  'sealed',
];

/** Top level `code` of an error (SQLSTATE, ECONNREFUSED) is no secret, so that one is censored below objects only. */
const REDACTED = SECRET_NAMES.flatMap((name) =>
  name === 'code' ? ['body.code', 'query.code'] : [name, `*.${name}`, `*.*.${name}`],
);

interface LoggedError {
  type: string;
  message: string;
  code?: string;
  stack?: string;
  cause?: LoggedError;
}

const DEPTH = 5;

/**
 * Type, message, code, stack and causes: nothing else that hangs on an error (requests, parameters, headers).
 * Drizzle's message holds the statement's parameters, so of that one only its cause is told.
 */
function describeError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error))
    return { type: typeof error, message: 'Something that is no Error was thrown.' };
  const withParameters = error.name === 'DrizzleQueryError' || error.message.startsWith('Failed query:');
  const code: unknown = 'code' in error ? error.code : undefined;
  return {
    type: error.name,
    message: withParameters ? 'A statement failed.' : error.message,
    ...(typeof code === 'string' || typeof code === 'number' ? { code: String(code) } : {}),
    ...(error.stack === undefined || withParameters ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= DEPTH ? {} : { cause: describeError(error.cause, depth + 1) }),
  };
}

/**
 * One JSON object a line, the same field names in api and worker: `time` (ISO), `level`, `service`, `message`, and where
 * they apply `request_id`, `organization_id`, `integration_id`, `import_id`, `repository_id`, `error`.
 *
 * @example
 * const log = createLogger({ service: 'api', level: 'info' });
 * log.warn({ integration_id, error }, 'The integration could not be read');
 */
export function createLogger({ service, level, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { service },
    messageKey: 'message',
    // Not the key that callers use: pino would repeat the raw text of an error under it as the line's message.
    errorKey: 'thrown',
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[secret]' },
    serializers: { error: (error: unknown) => describeError(error) },
    hooks: {
      logMethod(this: Logger, inputs: Parameters<LogFn>, method: LogFn): void {
        const [first, ...rest]: unknown[] = inputs;
        if (first instanceof Error) {
          method.call(
            this,
            { error: first },
            typeof rest[0] === 'string' ? rest[0] : describeError(first).message,
          );
        } else method.apply(this, inputs);
      },
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}
