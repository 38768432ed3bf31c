import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiClient, createApiClient } from '../../api/client.ts';
import { createOperator } from '../../scripts/apiKeys/operator.ts';
import { type Stand, uniqueName } from './stand.ts';
import { simulatorCredential } from './simulatorAccess.ts';

/** An active integration of an organization of its own, which sees the whole simulated host. */
export interface Connection {
  readonly api: ApiClient;
  readonly organizationId: string;
  readonly integrationId: string;
}

export interface FinishedImport {
  readonly id: string;
  /** between the row's creation and its end, by Postgres' clock */
  readonly seconds: number;
  /** as the import counted them, all streams */
  readonly records: number;
  /** as the import counted them */
  readonly requests: number;
}

const POLL_MS = 250;
/** An import is looked at less often: its end is in its row, and looking takes processor time from what is measured. */
const IMPORT_POLL_MS = 1_000;
const ENDED = new Set(['completed', 'completed_with_failures', 'cancelled']);

/** Walks through the connect guide over the public API and waits until the repositories are discovered. */
export async function connect(stand: Stand, services?: string[], credential?: string): Promise<Connection> {
  const operator = createOperator(stand.ownerUrl);
  const organization = uniqueName('bench');
  const { key, organizationId } = await operator.createKey({ organization, role: 'admin', label: 'bench' });
  await operator.end();
  const api = createApiClient({ baseUrl: stand.api, key, fetch });
  const { id } = await api.createIntegration();
  const { login, secret } = await simulatorCredential(stand.simulator, credential);
  let check = await api.submitCredential(id, { kind: 'api_token', email: login, token: secret });
  while (check.state !== 'done') {
    await sleep(POLL_MS);
    check = await api.lastConnectionCheck(id);
  }
  if (check.verdict === 'failed') throw new Error(`The connection check failed: ${JSON.stringify(check)}`);
  await until('the integration is connected', async () => (await api.integration(id)).state === 'connected');
  await api.activate(id, {
    name: organization,
    ...(services === undefined ? {} : { services }),
  });
  await until(
    'the repositories are discovered',
    async () => (await api.integration(id)).discovery.state === 'done',
  );
  return { api, organizationId, integrationId: id };
}

/** Imports everything and waits for its end. Throws unless it completed. */
export async function importAll(
  { api, integrationId }: Connection,
  mode: 'changed' | 'full' = 'changed',
): Promise<FinishedImport> {
  const { id } = await api.startImport(integrationId, { all: true, mode });
  return importEnded({ api }, id);
}

/** Waits for the end of an import that runs. Throws unless it completed. */
export async function importEnded({ api }: Pick<Connection, 'api'>, id: string): Promise<FinishedImport> {
  let shown = await api.import(id);
  while (!ENDED.has(shown.state)) {
    await sleep(IMPORT_POLL_MS);
    shown = await api.import(id);
  }
  if (shown.state !== 'completed')
    throw new Error(`The import ended ${shown.state}: ${JSON.stringify(shown)}`);
  const seconds = (Date.parse(shown.finished_at ?? '') - Date.parse(shown.created_at)) / 1_000;
  return { id, seconds, records: shown.records, requests: shown.requests };
}

async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 10 * 60_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`It took too long until ${what}.`);
    await sleep(POLL_MS);
  }
}
