import { type LogLevel as TemporalLevel, type LogMetadata, Runtime } from '@temporalio/worker';
import type { Logger } from '../platform/log.ts';

const LEVELS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Which of Temporal's attributes are worth a field of a log line. Everything else stays out: the list is what is known to be no secret. */
const FIELDS: Record<string, string> = {
  workflowId: 'workflow_id',
  runId: 'run_id',
  workflowType: 'workflow_type',
  activityType: 'activity_type',
  attempt: 'attempt',
  taskQueue: 'task_queue',
  sdkComponent: 'component',
  importId: 'import_id',
  repositoryId: 'repository_id',
  checkId: 'check_id',
  error: 'error',
};

/** The fields of a line of Temporal's, as our log names them. */
export function logFields(metadata: LogMetadata | undefined): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(metadata ?? {})) {
    const field = FIELDS[name];
    if (field !== undefined && value !== undefined) fields[field] = value;
  }
  return fields;
}

/** Lets Temporal log where we log. Once a process, before any connection or worker. */
export function installRuntime(log: Logger): void {
  const write = (level: TemporalLevel, message: string, metadata?: LogMetadata): void =>
    log[LEVELS[level]](logFields(metadata), message);
  Runtime.install({
    logger: {
      log: write,
      trace: (message, metadata) => write('TRACE', message, metadata),
      debug: (message, metadata) => write('DEBUG', message, metadata),
      info: (message, metadata) => write('INFO', message, metadata),
      warn: (message, metadata) => write('WARN', message, metadata),
      error: (message, metadata) => write('ERROR', message, metadata),
    },
    telemetryOptions: { logging: { filter: { core: 'WARN' }, forward: {} } },
  });
}
