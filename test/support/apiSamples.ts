import { randomUUID } from 'node:crypto';
import type { Operation } from './contract.ts';

/** Ids to put into paths; anything left out is an id that names nothing. */
export interface SampleIds {
  integration?: string;
  check?: string;
  import?: string;
  repository?: string;
  number?: number;
}

const CREDENTIAL = { kind: 'api_token', email: 'somebody@example.com', token: 'ATATT-nothing' };

/** A body that the operation's schema takes. */
const BODIES: Record<string, object> = {
  createIntegration: {},
  updateIntegration: { name: 'Renamed' },
  pauseIntegration: {},
  resumeIntegration: {},
  checkConnection: CREDENTIAL,
  submitCredential: CREDENTIAL,
  startOauth: {},
  completeOauth: { completion: 'nothing' },
  activateIntegration: { name: 'Acme' },
  discover: {},
  confirmVanished: {},
  keepVanished: {},
  registerWebhooks: {},
  changeAutoImport: { version: 0, rules: [] },
  previewAutoImport: { rules: [] },
  startImport: { all: true },
  retryQuarantine: {},
  pauseImport: {},
  resumeImport: {},
  cancelImport: {},
  retryFailed: {},
  syncRepository: {},
  syncIntegration: {},
};

function idOf(path: string, ids: SampleIds): string {
  const kind = path.split('/')[2];
  const known =
    kind === 'integrations'
      ? ids.integration
      : kind === 'connection-checks'
        ? ids.check
        : kind === 'imports' || kind === 'import-estimates'
          ? ids.import
          : ids.repository;
  return known ?? randomUUID();
}

export interface Sample {
  method: string;
  path: string;
  body: string | undefined;
}

/** A well-formed request of an operation. */
export function sampleOf(operation: Operation, ids: SampleIds = {}): Sample {
  const path = operation.path
    .replace('{id}', idOf(operation.path, ids))
    .replace('{number}', String(ids.number ?? 1));
  const body = BODIES[operation.operationId];
  return { method: operation.method, path, body: body === undefined ? undefined : JSON.stringify(body) };
}

export const isKeyed = (operation: Operation): boolean => operation.security !== undefined;
export const roleOf = (operation: Operation): string => operation['x-required-role'] ?? '';
export const takesJson = (operation: Operation): boolean =>
  operation.requestBody?.content['application/json'] !== undefined;
export const takesQuery = (operation: Operation): boolean =>
  (operation.parameters ?? []).some((parameter) => parameter.in === 'query');
export const namesSomething = (operation: Operation): boolean => operation.path.includes('{');
