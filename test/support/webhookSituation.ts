import { v7 as uuid } from 'uuid';
import { createWebhookRows } from '../../activities/webhooks/webhookRows.ts';
import { findWebhook } from '../../db/queries/api/webhooks.ts';
import type { Simulator } from '../../simulator/simulator.ts';
import type { Finding, WebhookState } from '../../workflows/words.ts';
import { type BitbucketEngine, type CredentialRows, inActivity } from './bitbucketEngine.ts';
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

/** An active integration of the simulator with imported repositories, and rounds over its webhooks. */
export async function createWebhookSituation(options: {
  simulator: Simulator;
  engine: BitbucketEngine;
  rows: CredentialRows;
  /** name of a credential of the simulator */
  credential: string;
  /** which repositories are imported; default all that it sees */
  imported?: (fullName: string) => boolean;
}) {
  const { simulator, engine, rows, imported = () => true } = options;
  const { sql } = rows;
  const found = simulator.credential(options.credential);
  const { workspace, project, repository } = found;
  const fields = Object.fromEntries(
    Object.entries({ workspace, project, repository }).filter((entry): entry is [string, string] => entry[1] !== null),
  );
  const integration =
    found.kind === 'api_token'
      ? await rows.integration('api_token', { email: found.login ?? '', token: found.secret })
      : await rows.integration('access_token', { token: found.secret }, { fields });
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

  const admin = simulator.credential('api_token.admin');
  const authorization = `Basic ${Buffer.from(`${admin.login ?? ''}:${admin.secret}`).toString('base64')}`;
  /** As the workspace's owner, past the engine. */
  const asOwner = (method: string, path: string, body?: object): Promise<Response> =>
    fetch(`${simulator.apiUrl}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const rowsOf = createWebhookRows({ database: engine.database });
  const chunk = (cursor: string | null) =>
    inActivity(() => engine.webhooks.keepWebhooksChunk({ organizationId, integrationId, cursor }));

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
    received: (token: string) => findWebhook(engine.database, token),
    audit: async (): Promise<{ action: string; details: Record<string, unknown> }[]> =>
      await sql<{ action: string; details: Record<string, unknown> }[]>`
        select action, details from audit_events where integration_id = ${integrationId} order by id`,
    asOwner,
    /** `/workspaces/x` or `/repositories/x/y` */
    async hooksAt(subject: string): Promise<HostHook[]> {
      const answer = await asOwner('GET', `${subject}/hooks?pagelen=100`);
      return ((await answer.json()) as { values: HostHook[] }).values;
    },
    repositoryId: (fullName: string): string => seen.find((each) => each.full_name === fullName)?.id ?? '',
  };
}
export type WebhookSituation = Awaited<ReturnType<typeof createWebhookSituation>>;
