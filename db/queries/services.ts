import { sql } from 'drizzle-orm';
import { type Service, STREAMS, STREAMS_OF_SERVICE } from '../../workflows/words.ts';
import type { Transaction } from '../client.ts';

/** Services that are switched on and off. Every function runs inside a transaction of the tenant. */

const words = (list: readonly string[]) => sql`${`{${list.join(',')}}`}::text[]`;

/**
 * Puts the streams of an integration's repositories right, behind the new services in its own row (whose lock `openStream`
 * waits for). Of a service that is off: the epoch is raised, so that whoever reads it writes nothing more, and it shows
 * `switched_off`, in imports under way too. Of one that is on again: it shows what it knows of its last reading.
 */
export async function switchStreams(
  tx: Transaction,
  { integrationId, services }: { integrationId: string; services: readonly Service[] },
): Promise<void> {
  const wanted = services.flatMap((service) => STREAMS_OF_SERVICE[service]);
  const off = words(STREAMS.filter((stream) => !wanted.includes(stream)));
  await tx.execute(sql`
    update streams s set epoch = epoch + 1, state = 'switched_off', failing_since = null, last_error = null
    from repositories r
    where r.integration_id = ${integrationId} and s.organization_id = r.organization_id and s.repository_id = r.id
      and s.stream = any (${off}) and s.state <> 'switched_off'`);
  // Repositories that another integration fetches too, whose rows are not ours: only our runs are shut out.
  await tx.execute(sql`
    update streams s set epoch = epoch + 1
    from imports i, import_repositories ir, repositories r
    where i.integration_id = ${integrationId} and i.finished_at is null
      and ir.organization_id = i.organization_id and ir.import_id = i.id
      and ir.state not in ('completed', 'failed', 'cancelled')
      and r.organization_id = ir.organization_id and r.id = ir.repository_id
      and r.integration_id is distinct from i.integration_id
      and s.organization_id = r.organization_id and s.repository_id = r.id and s.stream = any (${off})`);
  await tx.execute(sql`
    update import_streams s set state = 'switched_off', last_error = null, finished_at = clock_timestamp()
    from imports i
    where i.integration_id = ${integrationId} and i.finished_at is null
      and s.organization_id = i.organization_id and s.import_id = i.id
      and s.stream = any (${off}) and s.state not in ('healthy', 'unavailable', 'switched_off')`);
  await tx.execute(sql`
    update streams s set state = case when s.last_success_at is null then 'never' else 'healthy' end
    from repositories r
    where r.integration_id = ${integrationId} and s.organization_id = r.organization_id and s.repository_id = r.id
      and s.stream = any (${words(wanted)}) and s.state = 'switched_off'`);
}

/** The import by which services catch up. False: the integration has imported nothing. The same id twice is one import. */
export async function insertCatchUp(
  tx: Transaction,
  input: {
    organizationId: string;
    integrationId: string;
    importId: string;
    services: readonly Service[];
    actor: { apiKeyId: string; actingUser: string | null };
  },
): Promise<boolean> {
  const { organizationId, integrationId, importId, services, actor } = input;
  const rows = await tx.execute(sql`
    insert into imports (id, organization_id, integration_id, mode, services, selection, started_by_key, started_by_user)
    select ${importId}, ${organizationId}, ${integrationId}, 'changed', ${words(services)},
      ${JSON.stringify({ imported_by: integrationId })}::jsonb, ${actor.apiKeyId}::uuid, ${actor.actingUser}
    where exists (select from repositories r
      where r.integration_id = ${integrationId} and r.first_imported_at is not null)
    on conflict (id) do update set id = excluded.id
    returning 1`);
  return rows.length > 0;
}
