import { v7 as uuid } from 'uuid';
import { createSimulator, type Simulator } from './simulator.ts';
import { createWebhookRows } from '../../activities/webhooks/webhookRows.ts';
import { findWebhook } from '../../db/queries/api/webhooks.ts';
import type { Finding, WebhookState } from '../../workflows/words.ts';
import {
  type BitbucketEngine,
  createBitbucketEngine,
  createCredentialRows,
  createTestKeys,
  type CredentialRows,
  inActivity,
} from './bitbucketEngine.ts';
import { createTestDatabase } from './database.ts';
import { createDatabase, type Database } from '../../db/client.ts';
import { integrationWith } from './presentedCredential.ts';
import { actor } from './workflowBench.ts';

/** A hook as the simulated host lists it. */
export interface HostHook {
  uuid: string;
  url: string;
  active: boolean;
  events: string[];
}

export interface StoredHook {
  name: string;
  scope: 'workspace' | 'repository';
  state: WebhookState;
  provider_uuid: string | null;
  token: string;
  generation: number;
  /** of the secret before: `no`, `until` a time, or `open` */
  previous: 'no' | 'until' | 'open';
  events: string[];
  last_error: Finding | null;
}

export const WORKSPACES = ['/workspaces/acme-rockets', '/workspaces/globex'];
export const REPOSITORIES = [
  'acme-rockets/blank-slate',
  'acme-rockets/flight-control',
  'acme-rockets/launch-scripts',
  'acme-rockets/secret-sauce',
  'acme-rockets/telemetry',
  'globex/shop',
  'globex/telemetry-fork',
].map((name) => `/repositories/${name}`);

/** One simulator, database and engine for a file of tests; each test has an integration of its own. */
export async function createWebhookBench() {
  const keys = createTestKeys();
  const testDatabase = await createTestDatabase();
  const rows = createCredentialRows(testDatabase, keys);
  const simulator = await createSimulator({ limit: 0 });
  const common = {
    databaseUrl: testDatabase.workerUrl,
    keys,
    apiUrl: simulator.apiUrl,
    webUrl: simulator.url,
  };
  // One step a chunk: every place is carried over once.
  const engine = createBitbucketEngine({ ...common, maxRequests: 1, deadlineMs: 2_000 });
  // The receiver's role: it alone looks tokens up.
  const receiver = createDatabase({
    url: testDatabase.apiUrl,
    maxConnections: 1,
    applicationName: 'test receiver',
  });
  const asked = (since: number): string[] =>
    simulator.journal
      .since(since)
      .map(({ method, path }) => `${method} ${decodeURIComponent(path.replace(/\?.*/, ''))}`);

  const situation = (credential: string, imported?: (fullName: string) => boolean) =>
    createWebhookSituation({
      simulator,
      engine,
      receiver,
      rows,
      credential,
      ...(imported === undefined ? {} : { imported }),
    });

  return {
    sql: rows.sql,
    simulator,
    engine,
    situation,
    /** the same, of the repositories of one workspace, with its webhooks registered */
    async registered(
      credential = 'api_token.admin',
      imported = (fullName: string) => fullName.startsWith('acme-rockets/'),
    ) {
      const registered = await situation(credential, imported);
      await registered.command(true);
      await registered.round();
      return registered;
    },
    /** An engine that has no address for Bitbucket to deliver to. */
    engineWithoutReceiver: () => createBitbucketEngine({ ...common, publicUrl: null }),
    /** A place in the host's journal, for `asked` and `writes`. */
    mark: (): number => simulator.journal.since(0).at(-1)?.sequence ?? 0,
    /** `GET /2.0/workspaces/x/hooks` … since then, of whoever asked */
    asked,
    writes: (since: number): string[] => asked(since).filter((one) => !one.startsWith('GET')),
    /** Takes the hooks of a test away from the host, which is one for all. */
    async clear(): Promise<void> {
      simulator.faults.clear();
      for (const workspace of ['acme-rockets', 'globex']) {
        await simulator.mutate({ kind: 'user.right', user: 'ada-admin', workspace, right: 'owner' });
      }
      await rows.sql`delete from request_limits`;
      for (const subject of [...WORKSPACES, ...REPOSITORIES]) {
        for (const hook of await hooksAt(simulator, subject)) {
          await asOwner(simulator, 'DELETE', `${subject}/hooks/${encodeURIComponent(hook.uuid)}`);
        }
      }
    },
    async close(): Promise<void> {
      await engine.end();
      await receiver.end();
      await rows.end();
      await testDatabase.drop();
      await simulator.close();
    },
  };
}

/** As the workspaces' owner, past the engine. */
function asOwner(simulator: Simulator, method: string, path: string, body?: object): Promise<Response> {
  const admin = simulator.credential('api_token.admin');
  const authorization = `Basic ${Buffer.from(`${admin.login ?? ''}:${admin.secret}`).toString('base64')}`;
  return fetch(`${simulator.apiUrl}${path}`, {
    method,
    headers: { authorization, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** `/workspaces/x` or `/repositories/x/y`; none of a repository that is gone */
async function hooksAt(simulator: Simulator, subject: string): Promise<HostHook[]> {
  const answer = await asOwner(simulator, 'GET', `${subject}/hooks?pagelen=100`);
  return answer.status === 404 ? [] : ((await answer.json()) as { values: HostHook[] }).values;
}

/** An active integration of the simulator with imported repositories, and rounds over its webhooks. */
async function createWebhookSituation(options: {
  simulator: Simulator;
  engine: BitbucketEngine;
  receiver: Database;
  rows: CredentialRows;
  /** name of a credential of the simulator */
  credential: string;
  /** which repositories are imported; default all that it sees */
  imported?: (fullName: string) => boolean;
}) {
  const { simulator, engine, receiver, rows, imported = () => true } = options;
  const { sql } = rows;
  const integration = await integrationWith(options, options.credential);
  const { organizationId, integrationId } = integration;
  await sql`update integrations set state = 'active', name = 'Acme', services = '{repositories,pull_requests,tickets}'
    where id = ${integrationId}`;
  for (let cursor: string | null = null; ; ) {
    ({ cursor } = await inActivity(() =>
      engine.discovery.discoverChunk({ organizationId, integrationId, cursor }),
    ));
    if (cursor === null) break;
  }
  const seen = await sql<{ id: string; full_name: string }[]>`
    select id, full_name from repositories where organization_id = ${organizationId}`;
  const ids = seen.filter((each) => imported(each.full_name)).map(({ id }) => id);
  await sql`update repositories set integration_id = ${integrationId} where id = any (${ids})`;

  const rowsOf = createWebhookRows({ database: engine.database });
  const chunk = (cursor: string | null, info: { attempt?: number } = {}) =>
    inActivity(() => engine.webhooks.keepWebhooksChunk({ organizationId, integrationId, cursor }), info);

  return {
    ...integration,
    chunk,
    command: (wanted: boolean, { rotate = false, commandId = uuid() } = {}): Promise<void> =>
      rowsOf.commandWebhooks({ organizationId, integrationId, wanted, rotate, commandId, actor }),
    /** Chunk after chunk to its end, as the workflow does; the last one. */
    async round() {
      for (let cursor: string | null = null; ; ) {
        const done = await chunk(cursor);
        if (!done.more || done.limited !== undefined) return done;
        ({ cursor } = done);
      }
    },
    stored: (): Promise<StoredHook[]> => sql<StoredHook[]>`
      select coalesce(r.full_name, s.slug) as name, w.scope, w.state, w.provider_uuid, w.token, w.generation, w.events,
        w.last_error, case when w.previous_generation_until is null then 'no'
          when w.previous_generation_until = 'infinity' then 'open' else 'until' end as previous
      from webhooks w join workspaces s on s.id = w.workspace_id left join repositories r on r.id = w.repository_id
      where w.integration_id = ${integrationId} order by w.scope desc, name`,
    /** What the receiver makes of the hook's token. */
    received: (token: string) => findWebhook(receiver, token),
    audit: async (): Promise<{ action: string; details: Record<string, unknown> }[]> =>
      await sql<{ action: string; details: Record<string, unknown> }[]>`
        select action, details from audit_events where integration_id = ${integrationId} order by id`,
    asOwner: (method: string, path: string, body?: object) => asOwner(simulator, method, path, body),
    hooksAt: (subject: string) => hooksAt(simulator, subject),
    repositoryId: (fullName: string): string => seen.find((each) => each.full_name === fullName)?.id ?? '',
  };
}
export type WebhookSituation = Awaited<ReturnType<typeof createWebhookSituation>>;
